// Numbers, times and rates as text.

import { now } from './api.js';

const grouped = new Intl.NumberFormat('en-US');

// count writes a whole number with commas, as show's tables do.
export function count(n) {
  return n === undefined || n === null ? '' : grouped.format(n);
}

const units = [
  [86400, 'd', 3600, 'h'],
  [3600, 'h', 60, 'm'],
  [60, 'm', 1, 's'],
];

// duration writes seconds in the two largest units: 3d4h, 5m12s, 8s.
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '';
  const s = Math.max(0, Math.floor(seconds));
  for (const [big, bigName, small, smallName] of units) {
    if (s >= big) {
      const rest = Math.floor((s % big) / small);
      return `${Math.floor(s / big)}${bigName}${rest ? rest + smallName : ''}`;
    }
  }
  return `${s}s`;
}

// since writes how long ago a time of the router was.
export function since(time) {
  return time ? duration((now() - Date.parse(time)) / 1000) : '';
}

// clock writes a time of day to the millisecond, by the browser's zone.
export function clock(time) {
  const t = new Date(time);
  if (Number.isNaN(t.getTime())) return String(time);
  const two = (n) => String(n).padStart(2, '0');
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}.${String(t.getMilliseconds()).padStart(3, '0')}`;
}

const prefixes = ['', 'k', 'M', 'G', 'T', 'P'];

// scaled writes a number with a prefix of 1,000 and three digits: 912 M.
export function scaled(n, unit) {
  if (!Number.isFinite(n)) return '';
  let i = 0;
  let x = Math.abs(n);
  while (x >= 999.5 && i < prefixes.length - 1) {
    x /= 1000;
    i++;
  }
  const digits = i === 0 || x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2;
  return `${n < 0 ? '-' : ''}${x.toFixed(digits)} ${prefixes[i]}${unit}`;
}

// bits writes bits a second.
export const bits = (n) => scaled(n, 'bit/s');

// rate writes packets a second.
export const rate = (n) => scaled(n, '/s');

const acronyms = /^(as|id|dr|bdr|lsa|spf|mac|mtu|ttl|med|igmp|mld|bfd)$/;

// heading is a field's name as a heading: router_id is Router ID.
export function heading(name) {
  const words = name.split('_').map((w) => (acronyms.test(w) ? w.toUpperCase() : w === 'lsas' ? 'LSAs' : w));
  return words.join(' ').replace(/^[a-z]/, (c) => c.toUpperCase());
}

const seconds = /^(for|age|uptime|dead_in|hold_time|longest_silence)$/;

// named writes the value of a field by what the field's name says of it.
export function named(name, value) {
  if (name === 'as' || name.endsWith('_as') || name === 'port') return typeof value === 'number' ? String(value) : plain(value);
  if (name === 'since' && !Number.isNaN(Date.parse(value))) return `${since(value)} ago`;
  if (seconds.test(name) && typeof value === 'number') return duration(value);
  return plain(value);
}

// place is a place in the configuration without the directory: routerd.toml:12.
export const place = (origin) => String(origin ?? '').replace(/^.*\//, '');

// plain writes any value of JSON in one line.
export function plain(value) {
  if (value === undefined || value === null) return '';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return Number.isInteger(value) ? count(value) : String(value);
  if (Array.isArray(value)) return value.map(plain).join(', ');
  if (typeof value === 'object') {
    return Object.entries(value).filter(([, v]) => v !== '' && v !== null).map(([k, v]) => `${k.replaceAll('_', ' ')} ${plain(v)}`).join(', ');
  }
  return String(value);
}
