import type { SettingDefinition } from '../definition.ts'

/** Functions of the config file that the server calls. */
export const hookSettings = [
  {
    name: 'on_starting',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`on_starting(server)\`
Called when the arbiter starts, before it listens.`,
  },
  {
    name: 'on_reload',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`on_reload(server)\`
Called when a reload (HUP) has read the settings, before its new workers are started.`,
  },
  {
    name: 'when_ready',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`when_ready(server)\`
Called when the server listens, before its workers are started.`,
  },
  {
    name: 'pre_fork',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`pre_fork(server, worker)\`
Called before a worker is started.`,
  },
  {
    name: 'post_fork',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`post_fork(server, worker)\`
Called in a worker, before it loads the application.`,
  },
  {
    name: 'post_worker_init',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`post_worker_init(worker)\`
Called in a worker, after it has loaded the application.`,
  },
  {
    name: 'worker_int',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`worker_int(worker)\`
Called in each worker when INT or QUIT stops the server.`,
  },
  {
    name: 'worker_abort',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`worker_abort(worker)\`
Called in a worker whose request exceeded \`timeout\`, a second before it is killed.`,
  },
  {
    name: 'pre_exec',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`pre_exec(server)\`
Called before a new server is started to replace this one (USR2).`,
  },
  {
    name: 'pre_request',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`pre_request(worker, req)\`
Called in a worker before the application is called.`,
  },
  {
    name: 'post_request',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`post_request(worker, req, environ, resp)\`
Called in a worker after the response was sent. It may leave out its last parameters.`,
  },
  {
    name: 'child_exit',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`child_exit(server, worker)\`
Called after a worker has ended, for any reason.`,
  },
  {
    name: 'worker_exit',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`worker_exit(server, worker)\`
Called in a worker before it ends, unless it is killed.`,
  },
  {
    name: 'nworkers_changed',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`nworkers_changed(server, new_value, old_value)\`
Called at the start, with None as the old value, and when the number of workers changes.`,
  },
  {
    name: 'on_exit',
    section: 'Server hooks',
    flags: [],
    type: 'hook',
    nullable: true,
    default: null,
    doc: `\`on_exit(server)\`
Called when the server has stopped, before the arbiter ends.`,
  },
] as const satisfies readonly SettingDefinition[]
