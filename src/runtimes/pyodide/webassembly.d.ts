/** The part of the WebAssembly API that is used here; node has it, the types of node 20 do not. */
declare namespace WebAssembly {
  class Module {
    readonly [Symbol.toStringTag]: 'WebAssembly.Module'
  }
  class Instance {
    readonly exports: Record<string, unknown>
  }
  class Memory {
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
  type Imports = Record<string, Record<string, unknown>>
  function compile(bytes: Uint8Array): Promise<Module>
  let instantiate: {
    (bytes: Uint8Array, imports?: Imports): Promise<{ module: Module; instance: Instance }>
    (module: Module, imports?: Imports): Promise<Instance>
  }
}
