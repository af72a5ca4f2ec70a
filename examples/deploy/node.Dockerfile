# Node.js only: Python runs in the embedded interpreter. In the build's folder: the application with
# its requirements.txt, and the two packages that `npm run pack` makes in a clone of Monoceros.
FROM node:24-trixie-slim
WORKDIR /srv/mysite
COPY requirements.txt monoceros-0.1.0.tgz monoceros-pyodide-0.1.0.tgz ./
RUN npm install --omit=dev --no-audit --no-fund ./monoceros-0.1.0.tgz \
    ./monoceros-pyodide-0.1.0.tgz \
 && node_modules/.bin/monoceros install -r requirements.txt
COPY . .
ENV NODE_ENV=production MONOCEROS_CACHE=/tmp/monoceros
USER 1000:1000
EXPOSE 8000
# Without a Python, a shell is process 1 and reaps orphans, which needs Node.js 22.15 or newer.
CMD ["node_modules/.bin/monoceros", "--bind", "0.0.0.0:8000", "mysite.wsgi"]
