/** The config files that are found without `--config`, in the order of the search. */
export const DEFAULT_CONFIG_FILES = [
  'monoceros.config.ts',
  'monoceros.config.mts',
  'monoceros.config.js',
  'monoceros.config.mjs',
  'monoceros.config.json',
  'gunicorn.conf.py',
]
