// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { fieldOf, relativeTime, shortValue } from '../panel/format';

const NOW = Date.parse('2026-02-03T12:00:00Z');
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

describe('relativeTime', () => {
  it.each([
    [0, 'now'],
    [-5, 'now'],
    [20, 'now'],
    [50, '1 min. ago'],
    [5 * 60, '5 min. ago'],
    [59.7 * 60, '1 hr. ago'],
    [3 * 3600, '3 hr. ago'],
    [24 * 3600, 'yesterday'],
    [6 * 24 * 3600, '6 days ago'],
    [20 * 24 * 3600, '3 wk. ago'],
    [90 * 24 * 3600, '3 mo. ago'],
    [800 * 24 * 3600, '2 yr. ago']
  ])('tells %d seconds as %s', (seconds, text) => {
    expect(relativeTime(ago(seconds), NOW, 'en')).toBe(text);
  });

  it('speaks the language of the interface', () => {
    expect(relativeTime(ago(24 * 3600), NOW, 'de_DE')).toBe('gestern');
  });

  it('does not fail on odd languages and times', () => {
    expect(relativeTime(ago(0), NOW, 'not a language!')).not.toBe('');
    expect(relativeTime('soon', NOW)).toBe('soon');
  });
});

describe('shortValue', () => {
  it.each([
    [0.953211, '0.9532'],
    [3, '3'],
    [123456.789, '123500'],
    [1.2346e-7, '1.235e-7'],
    ['nan', 'nan'],
    [true, 'True'],
    [null, 'None']
  ])('shows %p as %s', (value, text) => {
    expect(shortValue(value)).toBe(text);
  });
});

describe('fieldOf', () => {
  it('quotes names that the language would not read as one', () => {
    expect(fieldOf('metrics', 'accuracy')).toBe('metrics.accuracy');
    expect(fieldOf('metrics', 'learning rate')).toBe('metrics."learning rate"');
    expect(fieldOf('parameters', 'a"b')).toBe('parameters."a""b"');
  });
});
