import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, launchChromium } from '../support/chromium.ts'
import { EditedProject } from '../support/edited-project.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// --reload-browser as a developer sees it: a page stays open while the files are edited.

/** For the browser: this project has no types of its objects. */
const COLOUR = "getComputedStyle(document.querySelector('p')).color"

// Where each application has them.
const TEMPLATE = 'templates/index.html'
const EXTRA_TEMPLATE = 'templates/extra.html'
const STYLE = 'static/site.css'

const WORD = '{{ word }}'
const SHARED_FILES = {
  [TEMPLATE]: `<!doctype html>
<html><head><link rel="stylesheet" href="/${STYLE}"></head><body><p>hello ${WORD}</p></body></html>
`,
  [STYLE]: 'p { color: rgb(1, 2, 3) }\n',
}

/** An application of each kind: a page `/` that shows a word of a module, and `/extra`. */
const kinds = {
  Flask: {
    app: 'app:app',
    files: {
      'app.py': `from flask import Flask, render_template
import words

app = Flask(__name__)


@app.get("/")
def index():
    return render_template("index.html", word=words.word)


@app.get("/extra")
def extra():
    return render_template("extra.html")
`,
      'words.py': 'word = "one"\n',
    },
    module: 'words.py',
    renamed: { name: 'terms.py', in: 'app.py', from: 'import words', to: 'import terms as words' },
    broken: { from: 'word = ', to: 'word = (' },
    message: "SyntaxError: '(' was never closed",
  },
  Django: {
    app: 'site_settings.wsgi',
    files: {
      'site_settings/__init__.py': '',
      'site_settings/settings.py': `from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for a test"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "site_settings.urls"
DEBUG = True
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
    }
]
`,
      'site_settings/urls.py': `from django.shortcuts import render
from django.urls import path

from . import words


def index(request):
    return render(request, "index.html", {"word": words.word})


def extra(request):
    return render(request, "extra.html")


urlpatterns = [path("", index), path("extra", extra)]
`,
      'site_settings/words.py': 'word = "one"\n',
      'site_settings/wsgi.py': `import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_settings.settings")
application = get_wsgi_application()
`,
    },
    module: 'site_settings/words.py',
    renamed: {
      name: 'site_settings/terms.py',
      in: 'site_settings/urls.py',
      from: 'import words',
      to: 'import terms as words',
    },
    broken: { from: 'word = ', to: 'raise ValueError("<b>no</b>")\nword = ' },
    message: 'ValueError: <b>no</b>',
  },
  TypeScript: {
    app: './app.ts',
    files: {
      'package.json': '{ "type": "module" }\n',
      'app.ts': `import { existsSync, readFileSync } from 'node:fs'
import { word } from './words.ts'

const read = (name: string) => {
  const file = new URL(name, import.meta.url)
  return existsSync(file) ? readFileSync(file, 'utf8') : '<!doctype html><p>missing</p>'
}
const pages: Record<string, string> = {
  '/': read('${TEMPLATE}').replace('${WORD}', word),
  '/extra': read('${EXTRA_TEMPLATE}'),
}

type StartResponse = (status: string, headers: [string, string][]) => void

export default (environ: { PATH_INFO: string }, startResponse: StartResponse) => {
  const css = environ.PATH_INFO.endsWith('.css')
  startResponse('200 OK', [['Content-Type', css ? 'text/css' : 'text/html; charset=utf-8']])
  const text = css ? read('${STYLE}') : (pages[environ.PATH_INFO] ?? '')
  return [Buffer.from(text)]
}
`,
      'words.ts': 'export const word: string = "one"\n',
    },
    module: 'words.ts',
    renamed: { name: 'terms.ts', in: 'app.ts', from: "'./words.ts'", to: "'./terms.ts'" },
    broken: { from: 'export', to: 'throw new Error("<b>no</b>")\nexport' },
    message: 'Error: <b>no</b>',
  },
}

const chromium = hasPython() ? findChromium() : null

describe.skipIf(chromium === null)('a page that is open in a browser', () => {
  let browser: Browser
  let closeBrowser: () => Promise<void>

  beforeAll(async () => {
    const launched = await launchChromium(chromium!)
    browser = launched.browser
    closeBrowser = launched.close
  })

  afterAll(() => closeBrowser?.())

  describe.each(Object.entries(kinds))('of %s', (_name, kind) => {
    let project: EditedProject
    let server: RunningServer
    let open: Page

    beforeAll(async () => {
      project = new EditedProject({ ...SHARED_FILES, ...kind.files })
      server = await startServer({
        app: kind.app,
        args: ['--reload-browser'],
        cwd: project.path,
      })
      open = await browser.newPage()
      await open.goto(server.url)
    })

    afterAll(async () => {
      await open?.close()
      project?.remove()
    })

    const shows = async (selector: string, text: string | RegExp) => {
      const element = open.locator(selector).first()
      await waitFor(`${selector} with ${text}`, async () => {
        // The page may be loaded again at this moment.
        const found = await element.textContent({ timeout: 1000 }).catch(() => '')
        return typeof text === 'string' ? found === text : text.test(found ?? '')
      })
    }

    test('shows what an edit of a module has changed', async () => {
      await shows('p', 'hello one')
      project.edit(kind.module, 'one', 'two')
      await shows('p', 'hello two')
      // Again at once, and of the same length: byte code must not be mistaken for the new source.
      project.edit(kind.module, 'two', 'six')
      await shows('p', 'hello six')
    })

    test('shows what an edit of a template has changed', async () => {
      project.edit(TEMPLATE, 'hello', 'welcome')
      await shows('p', 'welcome six')
      project.edit(TEMPLATE, 'welcome', 'hello')
      await shows('p', 'hello six')
    })

    test('gets another style without being loaded again', async () => {
      const colour = () => open.evaluate(COLOUR)
      await open.waitForLoadState()
      await open.evaluate("window.marker = 'kept'")
      expect(await colour()).toBe('rgb(1, 2, 3)')
      project.edit(STYLE, 'rgb(1, 2, 3)', 'rgb(4, 5, 6)')
      await open.waitForFunction(`${COLOUR} === 'rgb(4, 5, 6)'`)
      expect(await open.evaluate('window.marker')).toBe('kept')
    })

    test('shows the error while the application is broken, and is mended by itself', async () => {
      project.edit(kind.module, kind.broken.from, kind.broken.to)
      await shows('h1', kind.message)
      await shows('.place', new RegExp(`${kind.module}:\\d`))
      const line = kind.broken.to.split('\n')[0]!
      await shows('mark', new RegExp(line.replace(/[()]/g, '\\$&')))
      // The page's own policy lets its style and its script through, and nothing is loaded besides.
      await waitFor('its style', async () => {
        const width = 'getComputedStyle(document.body).maxWidth'
        return (await open.evaluate(width).catch(() => 'none')) !== 'none'
      })
      // The old application answers nothing else either.
      const other = await fetch(`${server.url}/extra`, { headers: { Accept: 'text/plain' } })
      expect(other.status).toBe(500)
      expect(await other.text()).toContain(kind.message)
      project.edit(kind.module, kind.broken.to, kind.broken.from)
      await shows('p', 'hello six')
    })

    test('shows a template that is added', async () => {
      await open.goto(`${server.url}/extra`)
      await open.waitForLoadState()
      project.write(EXTRA_TEMPLATE, '<!doctype html><p>an extra page</p>')
      await shows('p', 'an extra page')
      await open.goto(server.url)
    })

    test('shows what a renamed module has', async () => {
      const { name, from, to } = kind.renamed
      project.rename(kind.module, name)
      await shows('h1', /words/)
      project.edit(kind.renamed.in, from, to)
      await shows('p', 'hello six')
      project.edit(name, 'six', 'ten')
      await shows('p', 'hello ten')
    })
  })
})
