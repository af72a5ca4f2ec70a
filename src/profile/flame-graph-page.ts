/** The style and the script that a flame graph has in its file. */

export const STYLE = `
svg { font: 12px system-ui, sans-serif; color-scheme: light dark }
.page { fill: #fff }
text { fill: #1a1a1a }
.title { font-size: 16px; font-weight: 600 }
.small { fill: #555 }
.f { cursor: pointer; overflow: hidden }
.f rect { fill: hsl(var(--h, 30) 85% 70%) }
.all rect { fill: #d8d8d8 }
.route rect { fill: #bcd9b5 }
.waiting rect { fill: #a9c8e8 }
.f:hover rect, .f:focus rect { stroke: #000; stroke-width: 1 }
.f:focus { outline: none }
.hit rect { fill: #c77dff }
.gone { display: none }
.faded { opacity: .55 }
input, button { font: inherit }
@media (prefers-color-scheme: dark) {
  .page { fill: #17181b }
  .title, .small { fill: #e8e8e8 }
  output { color: #e8e8e8 }
}
`

export const SCRIPT = `
'use strict';
(() => {
  const frames = [...document.querySelectorAll('.f')].map((element) => ({
    element,
    x: Number(element.dataset.x),
    w: Number(element.dataset.w),
    d: Number(element.dataset.d),
    text: element.querySelector('text'),
    about: element.querySelector('title').textContent,
  }));
  const label = (frame) => {
    const wide = frame.element.getBoundingClientRect().width > 24;
    frame.text.textContent = wide ? frame.about.split('\\n', 1)[0] : '';
  };
  const show = (x, w, depth) => {
    for (const frame of frames) {
      const { element } = frame;
      const above = frame.d < depth && frame.x <= x + 1e-3 && frame.x + frame.w >= x + w - 1e-3;
      const inside = frame.d >= depth && frame.x >= x - 1e-3 && frame.x + frame.w <= x + w + 1e-3;
      element.classList.toggle('gone', !above && !inside);
      element.classList.toggle('faded', above);
      element.setAttribute('x', (above ? 0 : (frame.x - x) * 100 / w) + '%');
      element.setAttribute('width', (above ? 100 : frame.w * 100 / w) + '%');
    }
    for (const frame of frames) label(frame);
  };
  const input = document.getElementById('search');
  const search = () => {
    const wanted = input.value.trim().toLowerCase();
    const hits = [];
    for (const frame of frames) {
      const hit = wanted !== '' && frame.about.toLowerCase().includes(wanted);
      frame.element.classList.toggle('hit', hit);
      if (hit) hits.push(frame);
    }
    // Frames within others count once.
    let share = 0;
    let end = -1;
    for (const { x, w } of hits.sort((a, b) => a.x - b.x || b.w - a.w)) {
      if (x + 1e-6 < end) continue;
      share += w;
      end = x + w;
    }
    const found = hits.length + ' frames, ' + share.toFixed(1) + ' % of the time';
    document.getElementById('found').textContent = wanted === '' ? '' : found;
  };
  for (const { element, x, w, d } of frames) {
    const alone = () => show(x, w, d);
    element.addEventListener('click', alone);
    element.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); alone(); }
    });
  }
  const all = () => show(0, 100, 0);
  document.getElementById('reset').addEventListener('click', all);
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') all(); });
  input.addEventListener('input', search);
  addEventListener('resize', () => { for (const frame of frames) label(frame); });
  for (const frame of frames) label(frame);
})();
`
