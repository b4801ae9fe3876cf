// What every page can do: theme, charts, sortable tables, filters, and views with an address of their own.
// A page adds its charts: charts.KIND = (values, colours, narrow) => ({data, layout}) as plotly takes them.
const root = document.documentElement, home = document.getElementById('home'), view = document.getElementById('view');
const values = JSON.parse(document.getElementById('data').textContent) ?? {};
const charts = {};
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const make = (tag, text = '', parent = null) => {
  const node = Object.assign(document.createElement(tag), {textContent: text});
  parent?.append(node);
  return node;
};

// Theme: that of the system until the button is used.
const button = document.getElementById('theme'), system = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (root.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';
const themed = () => { button.textContent = isDark() ? 'Light' : 'Dark'; redraw(); };
try { if (localStorage.theme) root.dataset.theme = localStorage.theme; } catch { /* a page on disk may have no storage */ }
button.onclick = () => {
  root.dataset.theme = isDark() ? 'light' : 'dark';
  try { localStorage.theme = root.dataset.theme; } catch { /* as above */ }
  themed();
};
system.addEventListener('change', themed);

// Charts. Plotly reads tags in a text, so those of the data are escaped.
const plain = data => typeof data === 'string' ? data.replace(/&/g, '&amp;').replace(/</g, '&lt;')
  : Array.isArray(data) ? data.map(plain)
  : data && typeof data === 'object' ? Object.fromEntries(Object.entries(data).map(([key, value]) => [key, plain(value)]))
  : data;
function colours() {
  const probe = make('i', '', document.body);
  const found = Object.fromEntries(['paper', 'ink', 'soft', 'line', 'blue', 'orange'].map(name => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  }));
  probe.remove();
  return found;
}
function draw(figure) {
  const colour = colours(), narrow = figure.clientWidth < 560;
  const {data, layout} = charts[figure.dataset.chart](plain(values[figure.dataset.of]), colour, narrow);
  const axis = {gridcolor: colour.line, zerolinecolor: colour.line, linecolor: colour.soft, automargin: true};
  const place = figure.place ??= figure.querySelector('.plot');
  Plotly.react(place, data, {
    paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', font: {color: colour.ink, size: narrow ? 11 : 13, family: 'system-ui, sans-serif'},
    hoverlabel: {bgcolor: colour.paper, bordercolor: colour.soft, font: {color: colour.ink}, align: 'left'},
    margin: {l: 10, r: 15, t: 25, b: 45}, showlegend: false, dragmode: false, ...layout,
    xaxis: {...axis, fixedrange: true, ...layout.xaxis}, yaxis: {...axis, fixedrange: true, ...layout.yaxis},
  }, {responsive: true, displaylogo: false, modeBarButtons: [[{
    name: 'svg', title: 'Save as SVG', icon: Plotly.Icons.camera, click: plot => Plotly.downloadImage(plot, {format: 'svg', filename: figure.dataset.of}),
  }]]});
  if (!figure.drawn) place.on('plotly_click', ({points: [{customdata}]}) => { if (customdata?.startsWith('#/')) location.hash = customdata; });
  figure.drawn = true;
}
const digits = number => number && Math.abs(number) < 0.001 ? number.toPrecision(2) : number.toFixed(3);
const figures = value => value === null ? '-' : typeof value === 'number' && !Number.isInteger(value) ? digits(value) : value;
// The numbers of a chart as a table, for those who cannot see it: values.columns, {header: cells}.
function tabulate(figure) {
  const columns = values[figure.dataset.of].columns;
  if (!columns) return;
  const fold = make('details', '', figure);
  make('summary', 'The same as a table', fold);
  fold.addEventListener('toggle', () => {
    const table = make('table', '', fold), row = make('tr', '', make('thead', '', table)), body = make('tbody', '', table);
    Object.keys(columns).forEach(name => { make('th', name, row).scope = 'col'; });
    Object.values(columns)[0].forEach((_, i) => {
      const line = make('tr', '', body);
      Object.values(columns).forEach(cells => { make('td', figures(cells[i]), line).className = typeof cells[i] === 'number' ? 'number' : ''; });
    });
  }, {once: true});
}
const seen = new IntersectionObserver(entries => entries.filter(entry => entry.isIntersecting).forEach(({target}) => {
  seen.unobserve(target);
  draw(target);
}), {rootMargin: '200px'});
const redraw = () => all('.chart').forEach(figure => seen.observe(figure));  // what is not visible waits until it is
addEventListener('resize', redraw);

// Tables.
function sortable(table) {
  all('thead th', table).forEach((head, at) => {
    const click = make('button', head.textContent);
    click.type = 'button';
    head.replaceChildren(click);
    click.onclick = () => {
      const value = row => row.cells[at].dataset.value ?? row.cells[at].textContent.trim();
      const rows = all('tbody tr', table), numeric = rows.every(row => value(row) === '' || !isNaN(value(row)));
      const first = numeric && head.dataset.first !== 'ascending' ? 'descending' : 'ascending';
      const order = head.ariaSort === first ? (first === 'descending' ? 'ascending' : 'descending') : first;
      all('th', table).forEach(other => other.removeAttribute('aria-sort'));
      head.ariaSort = order;
      const sign = order === 'descending' ? -1 : 1, compare = new Intl.Collator('en', {numeric: true}).compare;
      rows.sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === '' || y === '') return (x === '') - (y === '');  // empty cells last
        return sign * (numeric ? x - y : compare(x, y));
      });
      table.tBodies[0].append(...rows);
    };
  });
}
function filter(form) {
  const fields = all('select, input', form), rows = all('[data-row]', home);
  const apply = () => {
    const fits = row => fields.every(field => !field.value ||
      (field.type === 'search' ? row.textContent.toLowerCase().includes(field.value.toLowerCase()) : row.dataset[field.name] === field.value));
    rows.forEach(row => { row.hidden = !fits(row); });
    all('[data-group]', home).forEach(group => {
      const inside = all('[data-row]', group);
      group.hidden = inside.length > 0 && inside.every(row => row.hidden);  // one of failed runs alone has no rows
    });
    form.querySelector('output').textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length} rows`;
    redraw();
  };
  form.addEventListener('input', apply);
  form.addEventListener('submit', event => event.preventDefault());
  apply();
}

// Views: #/ADDRESS shows the template of that address; every other address shows the home.
const templates = Object.fromEntries(all('template[data-view]').map(each => [each.dataset.view, each]));
const start = (inside) => {
  all('.chart', inside).forEach(tabulate);
  all('table.sortable', inside).forEach(sortable);
};
const address = () => { try { return decodeURIComponent(location.hash.slice(1)); } catch { return ''; } };  // of a mistyped link
let place = 0, title = document.title;
function route() {
  const template = templates[address()];
  if (!home.hidden) place = scrollY;
  all('.chart', view).filter(figure => figure.place).forEach(figure => Plotly.purge(figure.place));
  view.replaceChildren();
  home.hidden = Boolean(template);
  view.hidden = !template;
  document.title = template ? `${template.dataset.title} - ${title}` : title;
  if (template) {
    view.append(template.content.cloneNode(true));
    start(view);
    redraw();
    scrollTo(0, 0);
    const head = view.querySelector('h1');
    head.tabIndex = -1;
    head.focus({preventScroll: true});
  } else if (location.hash.startsWith('#/')) {
    scrollTo(0, place);
  } else {
    document.getElementById(address())?.scrollIntoView();
  }
}
addEventListener('hashchange', route);
document.querySelector('.skip').onclick = event => {  // an address would leave the view
  event.preventDefault();
  document.getElementById('main').focus();
};
addEventListener('DOMContentLoaded', () => {
  start(home);
  all('.filters', home).forEach(filter);
  themed();
  if (location.hash) route();
});
