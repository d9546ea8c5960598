// Callers of every route, a few a second, some of whom make mistakes, so that no dashboard is empty.
import http from 'k6/http';

const gateway = __ENV.GATEWAY || 'http://weir:8080';
const headers = { Authorization: 'Bearer weir-compose-checkout', 'Content-Type': 'application/json' };

const steady = (exec, rate, timeUnit = '1s') => ({
  executor: 'constant-arrival-rate', exec, rate, timeUnit, duration: __ENV.DURATION || '8760h', preAllocatedVUs: 2, maxVUs: 20,
});

export const options = {
  discardResponseBodies: true,
  scenarios: {
    orders: steady('orders', 20),
    chats: steady('chats', 2),
    events: steady('events', 5),
    mistakes: steady('mistakes', 1),
    broken: steady('broken', 6, '1m'),
  },
};

export function orders() {
  http.get(`${gateway}/orders/${Math.ceil(Math.random() * 1000)}`, { headers, tags: { name: 'orders' } });
}

export function chats() {
  const body = { model: 'small', stream: Math.random() < 0.5, messages: [{ role: 'user', content: `What is a weir, in ${Math.ceil(Math.random() * 9)} words?` }] };
  http.post(`${gateway}/v1/chat/completions`, JSON.stringify(body), { headers });
}

export function events() {
  const id = Math.ceil(Math.random() * 1000);
  http.post(`${gateway}/events/orders.created`, JSON.stringify({ order: id }), { headers: { ...headers, 'X-Key': String(id) } });
}

export function mistakes() {
  const [path, more] = [['/orders/1', { Authorization: 'Bearer nobody' }], ['/nowhere', headers], ['/events/payments.made', headers]][Math.floor(Math.random() * 3)];
  http.request(path.startsWith('/events') ? 'POST' : 'GET', gateway + path, null, { headers: more, tags: { name: 'mistakes' } });
}

export function broken() {
  http.get(`${gateway}/broken`);
}
