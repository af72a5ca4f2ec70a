# CPython of Debian beside the official Node.js image. In the build's folder: the project with its
# requirements.txt, and monoceros-0.1.0.tgz, which `npm run pack` makes in a clone of Monoceros.
# ioredis is for rate_limit_store.
FROM node:24-trixie-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/mysite
COPY requirements.txt monoceros-0.1.0.tgz ./
RUN python3 -m venv .venv \
 && .venv/bin/pip install --no-cache-dir -r requirements.txt \
 && npm install --omit=dev --no-audit --no-fund ./monoceros-0.1.0.tgz ioredis@6
COPY . .
RUN DJANGO_SETTINGS_MODULE=mysite.production .venv/bin/python manage.py collectstatic --noinput

FROM node:24-trixie-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /srv/mysite /srv/mysite
WORKDIR /srv/mysite
ENV NODE_ENV=production PYTHONUNBUFFERED=1 DJANGO_SETTINGS_MODULE=mysite.production
# The user of the image, by number, so that Kubernetes can see that it is not root.
USER 1000:1000
EXPOSE 8000
# The server is process 1: it reaps orphans by a small program of its own, so no tini is needed.
CMD ["node_modules/.bin/monoceros", "--bind", "0.0.0.0:8000", "--static", "/static=/srv/mysite/staticfiles", "mysite.wsgi"]
