// The console asks the admin address every few seconds and draws what it is told. It keeps five minutes of
// figures in memory and nothing anywhere else but the token, which the tab forgets.

import { drawn, element, listed, rendered, story, time } from './console-page.js';

const KEPT = 150;
const EVERY = 2000;
const history = new Map();
let before;

const $ = (selector) => document.querySelector(selector);

async function ask(path) {
  const token = sessionStorage.getItem('token');
  const answer = await fetch(path, { headers: token ? { authorization: `Bearer ${token}` } : {}, cache: 'no-store' });
  $('#token').hidden = answer.status !== 401;
  if (!answer.ok && !(path === 'readyz' && answer.status === 503)) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

$('#token').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('token', $('#token input').value);
  show();
});

/// The samples of the families that are drawn, from the text that Prometheus reads.
function parsed(text) {
  const routes = new Map();
  const of = (name) => {
    if (!routes.has(name)) routes.set(name, { count: 0, failed: 0, buckets: new Map() });
    return routes.get(name);
  };
  const sample = /^(http_server_request_duration_seconds_(?:count|bucket)|weir_errors_total)\{(.*)\} (\S+)$/;
  for (const line of text.split('\n')) {
    const found = sample.exec(line);
    if (!found) continue;
    const labels = Object.fromEntries([...found[2].matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [key, value]));
    const route = of(labels.weir_route);
    const value = Number(found[3]);
    if (found[1].endsWith('_count')) route.count += value;
    else if (found[1].endsWith('_bucket')) route.buckets.set(labels.le, (route.buckets.get(labels.le) ?? 0) + value);
    else if (labels.fault === 'gateway' || labels.fault === 'upstream') route.failed += value;
  }
  return { at: performance.now() / 1000, routes };
}

/// The 99th percentile of what was counted between two looks: the bound of its bucket.
function p99(now, then) {
  const of = (le) => (now.get(le) ?? 0) - (then?.get(le) ?? 0);
  const all = of('+Inf');
  if (all <= 0) return NaN;
  const bounds = [...now.keys()].map(Number).filter(Number.isFinite).sort((a, b) => a - b);
  return bounds.find((bound) => [...now.keys()].some((le) => Number(le) === bound && of(le) >= 0.99 * all)) ?? Infinity;
}

function noted(now) {
  for (const [name, route] of now.routes) {
    const then = before?.routes.get(name);
    const past = before ? now.at - before.at : NaN;
    // A counter that fell began anew.
    const since = (is, was) => (was === undefined || is < was ? is : is - was);
    const point = before
      ? { rate: since(route.count, then?.count) / past, failed: since(route.failed, then?.failed) / past, p99: p99(route.buckets, then?.buckets) }
      : { rate: 0, failed: 0, p99: NaN };
    const points = history.get(name) ?? [];
    history.set(name, [...points, point].slice(-KEPT));
  }
  before = now;
}

function chart(points) {
  const most = Math.max(1e-9, ...points.map((point) => point.rate));
  const slowest = Math.max(1e-9, ...points.map((point) => (Number.isFinite(point.p99) ? point.p99 : 0)));
  const x = (index) => KEPT - points.length + index;
  const area = (of) => `M${x(0)},42 ` + points.map((point, index) => `L${x(index)},${42 - 38 * Math.min(1, of(point) / most)}`).join(' ') + ` L${x(points.length - 1)},42 Z`;
  const line = points.map((point, index) => (Number.isFinite(point.p99) ? `${x(index)},${40 - 36 * point.p99 / slowest}` : '')).filter(Boolean).join(' ');
  return drawn('svg', { viewBox: `0 0 ${KEPT} 42`, preserveAspectRatio: 'none', role: 'img', 'aria-label': 'requests, failures and p99 of the last five minutes' },
    drawn('path', { class: 'all', d: area((point) => point.rate) }),
    drawn('path', { class: 'failed', d: area((point) => point.failed) }),
    drawn('polyline', { class: 'p99', points: line }));
}

function drawRoutes() {
  const busiest = [...history].sort(([, a], [, b]) => b.at(-1).failed - a.at(-1).failed || b.at(-1).rate - a.at(-1).rate);
  const card = ([name, points]) => {
    const last = points.at(-1);
    const share = last.rate > 0 ? last.failed / last.rate : 0;
    const figure = (label, value, kind) => element('div', {}, element('dt', {}, label), element('dd', { class: kind }, value));
    return element('div', { class: 'card', 'data-route': name }, element('h3', {}, name),
      element('dl', {}, figure('requests', `${last.rate.toFixed(1)}/s`), figure('failed', `${(100 * share).toFixed(1)} %`, share > 0.01 ? 'bad' : 'good'),
        figure('p99', Number.isFinite(last.p99) ? `≤ ${time(last.p99)}` : '-')), chart(points));
  };
  const shown = busiest.slice(0, 60).map(card);
  $('#routes .cards').replaceChildren(...(shown.length ? shown : [element('p', { class: 'dim' }, 'no route was asked yet')]));
  $('#routes h2').textContent = busiest.length > 60 ? `Routes (60 of ${busiest.length}, those that fail and the busiest)` : 'Routes';
}

function rows(section, made, empty) {
  const none = element('tr', {}, element('td', { class: 'dim', colspan: 6 }, empty));
  $(`#${section} tbody`).replaceChildren(...(made.length ? made : [none]));
}

const cells = (...all) => element('tr', {}, ...all.map((cell) => (cell instanceof Node ? element('td', {}, cell) : element('td', {}, String(cell ?? '-')))));
const word = (text, kind) => element('span', { class: kind }, text);

function drawUpstreams(upstreams) {
  rows('upstreams', upstreams.flatMap((upstream) => upstream.endpoints.map((endpoint) => {
    const [text, kind] = upstream.breaker_open ? ['breaker open', 'bad'] : !endpoint.healthy ? ['unhealthy', 'bad'] : endpoint.ejected ? ['ejected', 'warn'] : ['in traffic', 'good'];
    const idle = endpoint.idle_timeout ? `${time(endpoint.idle_timeout.seconds)}, ${endpoint.idle_timeout.source}` : '-';
    return cells(upstream.upstream, endpoint.endpoint, word(text, kind), endpoint.requests_in_flight, endpoint.connections, idle);
  })), 'no upstream');
}

function drawQuotas(quotas) {
  rows('quotas', quotas.map((quota) => {
    if (quota.error) return cells(quota.name, quota.unit, quota.limit, word(quota.error, 'bad'));
    const [fullest] = quota.fullest ?? [];
    const used = Number(fullest?.used ?? 0) + Number(fullest?.reserved ?? 0);
    const limit = Number(fullest?.limit ?? quota.limit);
    const meter = element('meter', { min: 0, max: limit || 1, value: used, high: 0.9 * limit, title: `${used} of ${limit}` });
    return cells(quota.name, quota.unit, limit, fullest?.key ?? '-', meter);
  }), 'no quota');
}

function drawFailures(requests) {
  const all = [...requests.failed, ...requests.refused, ...requests.mistaken].sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1)).slice(0, 25);
  rows('failures', all.map((request) => {
    const code = request['error.type'];
    const page = /^[a-z_]+$/.test(code ?? '') ? element('a', { href: `#/runbook/${code}` }, code) : code;
    const id = element('a', { href: `#/request/${request.request_id}` }, `${request['http.request.method']} ${request['url.path']}`.slice(0, 60));
    return cells(request.timestamp.slice(11, 23), request['http.response.status_code'], page, request['weir.fault'], request['weir.route'], id);
  }), 'nothing failed of late');
}

function said(text, bad) {
  $('#state').textContent = text;
  $('#state').classList.toggle('bad', bad);
}

async function look() {
  const [ready, metrics] = await Promise.all([ask('readyz'), ask('metrics')]);
  const state = await ready.json();
  const reload = state.last_reload.result === 'ok' ? '' : ` · reload refused: ${state.last_reload.reason}`;
  said(`${state.status} · ${state.requests_in_flight} in flight · configuration ${state.revision}${reload}`, state.status !== 'ready' || reload !== '');
  noted(parsed(await metrics.text()));
  if (location.hash.length > 2) return;
  drawRoutes();
  const [upstreams, quotas, requests] = await Promise.all(['upstreams', 'quotas', 'requests'].map(async (path) => (await ask(path)).json()));
  drawUpstreams(upstreams);
  drawQuotas(quotas);
  drawFailures(requests);
}

async function opened() {
  const [, kind, name] = location.hash.split('/').map(decodeURIComponent);
  if (kind === 'request') return story(await (await ask(`requests/${encodeURIComponent(name)}`)).json());
  if (kind === 'runbooks') return listed(await (await ask('runbooks')).json());
  return rendered(await (await ask(`runbooks/${encodeURIComponent(name)}`)).text());
}

async function show() {
  const now = location.hash.length <= 2;
  $('#now').hidden = !now;
  $('#page').hidden = now;
  try {
    if (now) return await look();
    $('#page').replaceChildren(...(await opened()));
    scrollTo(0, 0);
  } catch (error) {
    if (!now) $('#page').replaceChildren(element('p', { class: 'bad' }, `${error.message}: it is not there, or the gateway is not`));
  }
}

async function forever() {
  const begun = performance.now();
  try {
    await look();
  } catch (error) {
    said(`no answer (${error.message})`, true);
  }
  // A gateway with very many series is asked less often.
  setTimeout(forever, Math.max(EVERY, 10 * (performance.now() - begun)));
}

addEventListener('hashchange', show);
show();
forever();
