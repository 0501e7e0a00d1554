// What a page owes to readers who do not see it, do not use a mouse, or read it in the dark. Returns lists of faults.
() => {
  const seen = e => e.checkVisibility({checkOpacity: true, checkVisibilityCSS: true}) && e.getClientRects().length > 0;
  const name = e => (e.getAttribute("aria-label") || [...(e.labels || [])].map(l => l.textContent).join(" ")
    || (/^(BUTTON|SUMMARY|A)$/.test(e.tagName) ? e.textContent : "")).trim();
  const told = e => `${e.tagName.toLowerCase()}#${e.id} ${(e.textContent || "").trim().slice(0, 40)}`;
  const controls = [...document.querySelectorAll("button,select,input,summary,a[href],[tabindex='0']")];
  const all = [...document.querySelectorAll("[id]")].filter(
    e => !e.closest(".js-plotly-plot > *")).map(e => e.id);  // inside figures, ids are those of the library that draws
  const levels = [...document.querySelectorAll("h1,h2,h3,h4,h5,h6")].filter(seen).map(h => +h.tagName[1]);

  const rgba = text => {
    const v = (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
    return [v[0], v[1], v[2], v.length > 3 ? v[3] : 1];
  };
  const over = (top, under) => [0, 1, 2].map(k => top[3] * top[k] + (1 - top[3]) * under[k]);
  const ground = e => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
    return layers.reverse().reduce((under, layer) => over(layer, under), canvas);
  };
  const light = c => {
    const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = e => {
    const style = getComputedStyle(e), back = ground(e.closest("svg")?.parentElement || e);
    const ink = rgba(e.closest("svg") ? style.fill : style.color);
    ink[3] *= e.closest("svg") ? +style.fillOpacity : 1;
    const [a, b] = [light(over(ink, back)), light(back)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const words = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (node.textContent.trim() && !/^(SCRIPT|STYLE|OPTION)$/.test(e.tagName) && seen(e)) words.push(e);
  }
  const pale = [...new Set(words)].map(e => [contrast(e), told(e)]).filter(([c]) => c < 4.5);
  return {
    texts: words.length,
    controls: controls.filter(seen).length,
    nameless: controls.filter(e => seen(e) && !name(e)).map(told),
    images: [...document.querySelectorAll("img,[role=img]")].filter(
      e => !(e.getAttribute("aria-label") || e.getAttribute("alt") || "").trim()).map(told),
    doubled: all.filter((id, k) => all.indexOf(id) !== k),
    headings: levels[0] !== 1 || levels.filter(l => l === 1).length !== 1 ||
      levels.some((l, k) => k && l > levels[k - 1] + 1) ? levels : [],
    cells: [...document.querySelectorAll("th:not([scope])")].map(told),
    pale: pale.map(([c, e]) => `${c.toFixed(2)} ${e}`),
    language: document.documentElement.lang,
    title: document.title,
  };
}
