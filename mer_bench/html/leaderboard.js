// The charts of the leaderboards. A point with customdata '#/...' opens that view, see base.js.
// A name on one line, or on two of a phone; what does not fit is left out.
function short(text, narrow) {
  const most = narrow ? 21 : 62, cut = part => part.length > most ? `${part.slice(0, most - 1)}…` : part;
  const at = narrow && text.length > most ? text.lastIndexOf(' ', most) : -1;
  return at > 0 ? `${text.slice(0, at)}<br>${cut(text.slice(at + 1))}` : cut(text);
}
const three = number => number === null ? '-' : number.toFixed(3);

// A row of points with intervals, the first on top.
function rows(names, value, low, high, hover, colour, narrow) {
  const y = names.map((_, i) => -i);
  return {
    trace: {
      type: 'scatter', mode: 'markers', x: value, y, hovertext: hover, hoverinfo: 'text', marker: {size: 9, color: colour.blue},
      error_x: {type: 'data', symmetric: false, array: value.map((v, i) => high[i] === null ? 0 : high[i] - v),
        arrayminus: value.map((v, i) => low[i] === null ? 0 : v - low[i]), color: colour.soft, thickness: 1.5, width: 0},
    },
    yaxis: {tickvals: y, ticktext: names.map(name => short(name, narrow)), range: [0.7 - names.length, 0.7], zeroline: false, showgrid: false},
    height: (narrow ? 30 : 24) * names.length + 100, y,
  };
}

charts.dots = (all, colour, narrow) => {
  const kept = all.id.flatMap((id, i) => document.getElementById(id)?.hidden ? [] : [i]);
  const of = key => kept.map(i => all[key][i]);
  const hover = kept.map(i => `${all.display_name[i]}<br>${all.method[i]}<br>UF1 ${three(all.uf1[i])} [${three(all.uf1_low[i])}, ${three(all.uf1_high[i])}]`);
  const {trace, yaxis, height, y} = rows(of('display_name'), of('uf1'), of('uf1_low'), of('uf1_high'), hover, colour, narrow);
  const ours = kind => kind === 'ours' || kind === 'ablation';
  trace.customdata = of('href');
  trace.marker = {size: 10, symbol: of('kind').map(kind => ours(kind) ? 'diamond' : 'circle'),
    color: of('kind').map(kind => ours(kind) ? colour.orange : kind === 'sanity' ? colour.soft : colour.blue)};
  const bound = {type: 'scatter', mode: 'markers', x: of('bound'), y, hoverinfo: 'skip', marker: {symbol: 'line-ns-open', size: 9, color: colour.soft, line: {width: 1.5}}};
  return {data: [bound, trace], layout: {
    height, yaxis, xaxis: {title: {text: 'UF1'}, zeroline: false},
    shapes: all.chance.map(([, x]) => ({type: 'line', x0: x, x1: x, yref: 'paper', y0: 0, y1: 1, layer: 'below', line: {color: colour.soft, dash: 'dot', width: 1.5}})),
    annotations: narrow ? [] : all.chance.map(([text, x]) => ({x, y: 1, yref: 'paper', yanchor: 'bottom', text, showarrow: false, font: {size: 11, color: colour.soft}})),
  }};
};

charts.forest = ({columns}, colour, narrow) => {
  const {ablation: part, low, high} = columns, change = columns['change of UF1'];
  const hover = part.map((name, i) => `${name}<br>${three(change[i])} [${three(low[i])}, ${three(high[i])}]`);
  const {trace, yaxis, height} = rows(part, change, low, high, hover, colour, narrow);
  return {data: [trace], layout: {height, yaxis, xaxis: {title: {text: 'change of UF1'}, zeroline: true, zerolinewidth: 2, zerolinecolor: colour.soft}}};
};

charts.years = (all, colour) => {
  const kept = all.id.flatMap((id, i) => document.getElementById(id)?.hidden ? [] : [i]), counts = {};
  const spread = kept.map(i => { const n = counts[all.year[i]] = (counts[all.year[i]] ?? 0) + 1; return Number(all.year[i]) + ((n * 0.382) % 1 - 0.5) * 0.6; });
  const honest = kept.map(i => ['last', 'inner'].includes(all.epoch_rule[i]));
  return {data: [{
    type: 'scatter', mode: 'markers', x: spread, y: kept.map(i => all.uf1[i]), hoverinfo: 'text',
    hovertext: kept.map(i => `${all.method[i]}, ${all.year[i]}<br>UF1 ${three(all.uf1[i])}, ${all.dataset[i]}<br>epoch rule: ${all.epoch_rule[i]}<br>${all.protocol[i]}`),
    marker: {size: 9, color: colour.blue, symbol: honest.map(fixed => fixed ? 'circle' : 'circle-open'), line: {width: 1.5}},
  }], layout: {height: 340, xaxis: {dtick: 1, tickformat: 'd', title: {text: 'year'}, zeroline: false}, yaxis: {title: {text: 'UF1, as published'}}}};
};

charts.confusion = ({columns}, colour, narrow) => {
  const classes = columns.true, counts = classes.map((_, row) => classes.map(name => columns[`predicted ${name}`][row]));
  const shares = counts.map(row => row.map(number => number / Math.max(1, row.reduce((a, b) => a + b))));
  const side = Math.min(130 * classes.length + 130, narrow ? 340 : 560);
  return {data: [{
    type: 'heatmap', x: classes, y: classes, z: shares, zmin: 0, zmax: 1, xgap: 2, ygap: 2, showscale: false, hoverinfo: 'skip',
    colorscale: [[0, '#f0f5fa'], [1, '#08519c']], texttemplate: '%{text}',
    text: counts.map((row, i) => row.map((number, j) => `${number}<br>${Math.round(100 * shares[i][j])} %`)),
  }], layout: {width: side, height: side * 0.8, xaxis: {title: {text: 'predicted'}, type: 'category'}, yaxis: {title: {text: 'true', standoff: 12}, type: 'category', autorange: 'reversed'}}};
};

charts.strip = ({columns: {subject, clips, right}}, colour) => {
  const share = right.map((n, i) => n / clips[i]), stack = {};
  const y = share.map(x => { const at = Math.round(40 * x); stack[at] = (stack[at] ?? 0) + 1; return stack[at]; });
  return {data: [{
    type: 'scatter', mode: 'markers', x: share, y, hoverinfo: 'text', hovertext: subject.map((name, i) => `${name}: ${right[i]} of ${clips[i]}`),
    marker: {color: colour.blue, opacity: 0.75, size: clips.map(n => 6 + 2 * Math.sqrt(n)), line: {width: 1, color: colour.paper}},
  }], layout: {height: 180 + 9 * Math.max(...y), xaxis: {range: [-0.03, 1.03], tickformat: '.0%', title: {text: 'share of clips recognised'}, zeroline: false},
    yaxis: {title: {text: 'subjects'}, rangemode: 'tozero', zeroline: false}}};
};

charts.curves = ({columns}, colour) => {
  const band = (key, axis, shade) => [
    {x: columns.epoch, y: columns[`${key}_low`], yaxis: axis, mode: 'lines', line: {width: 0}, hoverinfo: 'skip'},
    {x: columns.epoch, y: columns[`${key}_high`], yaxis: axis, mode: 'lines', line: {width: 0}, fill: 'tonexty', hoverinfo: 'skip', fillcolor: shade.replace('rgb(', 'rgba(').replace(')', ', 0.25)')},
    {x: columns.epoch, y: columns[key], yaxis: axis, mode: 'lines', line: {color: shade, width: 2}, name: key},
  ];
  return {data: [...band('loss', 'y', colour.blue), ...band('train_accuracy', 'y2', colour.orange)], layout: {
    height: 460, hovermode: 'x', xaxis: {title: {text: 'epoch'}, dtick: columns.epoch.length < 12 ? 1 : undefined, anchor: 'y2', zeroline: false},
    yaxis: {title: {text: 'loss'}, domain: [0.54, 1], zeroline: false},
    yaxis2: {title: {text: 'training accuracy'}, domain: [0, 0.46], automargin: true, gridcolor: colour.line, zeroline: false},
  }};
};
