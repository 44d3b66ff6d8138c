// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Column } from '../api/schema';
import { parseCharts, type IChart } from './charts/state';

/** How many runs can be selected at a time. */
export const MAX_SELECTED = 1000;

/** How many keys the rows can be sorted by. */
const MAX_SORTS = 8;

/** How many parameters and how many metrics are columns unless chosen otherwise. */
const DEFAULT_VALUES = 12;

/** Which values of a column are the good ones. */
export type Direction = 'lower' | 'higher' | 'none';

/** One key that the rows are sorted by. */
export interface ISort {
  /** The column's key. */
  readonly key: string;

  /** Whether the largest values come first. */
  readonly descending: boolean;
}

/** Everything of a view that comes back after a reload. */
export interface IExplorerState {
  /** The condition that runs must fulfil. */
  readonly where: string;

  /** Words that must occur in a run. */
  readonly search: string;

  /** What the rows are sorted by; nothing is newest first. */
  readonly sort: readonly ISort[];

  /** Keys of the columns that scroll, in order; null until someone chose. */
  readonly columns: readonly string[] | null;

  /** Keys of the columns that stay at the left, in order. */
  readonly pinned: readonly string[];

  /** Widths of columns that someone changed, in px. */
  readonly widths: Readonly<Record<string, number>>;

  /** Directions that someone changed. */
  readonly directions: Readonly<Record<string, Direction>>;

  /** The charts, from above. */
  readonly charts: readonly IChart[];

  /** Whether charts are shown. */
  readonly chartsOpen: boolean;

  /** Whether the list of columns is shown. */
  readonly columnsOpen: boolean;

  /** The share of the width that the table has beside the charts. */
  readonly share: number;

  /** Ids of the selected runs. */
  readonly selected: readonly string[];
}

/** A view that nobody has changed. */
export const FRESH: IExplorerState = {
  where: '',
  search: '',
  sort: [],
  columns: null,
  pinned: ['description'],
  widths: {},
  directions: {},
  charts: [],
  chartsOpen: false,
  columnsOpen: false,
  share: 0.6,
  selected: []
};

/**
 * Read a state that was kept; what is missing or not what it should be is as in a fresh view.
 */
export function parseState(kept: unknown): IExplorerState {
  const given = isObject(kept) ? kept : {};
  const { share } = given;
  return {
    where: text(given.where),
    search: text(given.search),
    sort: list(given.sort)
      .filter(isObject)
      .filter(({ key }) => typeof key === 'string' && key !== '')
      .map(({ key, descending }) => ({
        key: key as string,
        descending: descending === true
      }))
      .slice(0, MAX_SORTS),
    columns: Array.isArray(given.columns) ? texts(given.columns) : null,
    pinned: Array.isArray(given.pinned) ? texts(given.pinned) : FRESH.pinned,
    widths: Object.fromEntries(
      entries(given.widths).filter(
        (entry): entry is [string, number] =>
          typeof entry[1] === 'number' && entry[1] >= 20 && entry[1] <= 4000
      )
    ),
    directions: Object.fromEntries(
      entries(given.directions).filter((entry): entry is [string, Direction] =>
        ['lower', 'higher', 'none'].includes(entry[1] as string)
      )
    ),
    charts: parseCharts(given.charts),
    chartsOpen: given.chartsOpen === true,
    columnsOpen: given.columnsOpen === true,
    share:
      typeof share === 'number' && share > 0.05 && share < 0.95
        ? share
        : FRESH.share,
    selected: texts(given.selected).slice(0, MAX_SELECTED)
  };
}

/**
 * A state as JSON; `undefined` has no place in it.
 */
export function stateToJSON(state: IExplorerState): ReadonlyPartialJSONObject {
  return JSON.parse(JSON.stringify(state)) as ReadonlyPartialJSONObject;
}

/**
 * The order after a click on a header: ascending, descending, none in turn.
 *
 * @param sort - The order now
 * @param key - The column's key
 * @param add - Keep the other keys, of which this one is a further one
 * @param first - Whether the largest values come first at the first click
 */
export function nextSort(
  sort: readonly ISort[],
  key: string,
  add: boolean,
  first = false
): ISort[] {
  const before = sort.find(each => each.key === key);
  const others = add ? sort.filter(each => each.key !== key) : [];
  if (!before) {
    return [...others, { key, descending: first }].slice(-MAX_SORTS);
  }
  if (before.descending !== first) {
    return others;
  }
  const turned = { key, descending: !first };
  return add ? sort.map(each => (each.key === key ? turned : each)) : [turned];
}

/**
 * The order as the server takes it.
 */
export function sortText(sort: readonly ISort[]): string {
  return sort
    .map(({ key, descending }) => `${key} ${descending ? 'desc' : 'asc'}`)
    .join(', ');
}

/** Parts of names of metrics of which less is better, wherever they stand in the name. */
const LESS =
  /loss|error|rmse|mape|smape|rmsle|perplexity|latency|regret|duration|deviance|brier|distance|memory/i;

/** The same, as whole words. */
const LESS_WORDS = new Set(
  'mse mae msle err time runtime seconds secs ms cost nll ece wer cer ter fid ppl aic bic fpr fnr far frr eer kl hinge size bytes ram misses violations rank'.split(
    ' '
  )
);

/** Where the word says the contrary. */
const MORE =
  /accura|precision|recall|score|reward|gain|throughput|per_?sec|r2|auc|f1|error_?free/i;

/**
 * Guess from a metric's name which of its values are the good ones.
 */
export function guessDirection(name: string): Direction {
  if (MORE.test(name)) {
    return 'higher';
  }
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return LESS.test(name) || words.some(word => LESS_WORDS.has(word))
    ? 'lower'
    : 'higher';
}

/**
 * Which values of a column are the good ones; only metrics have a direction unless told.
 */
export function directionOf(
  column: Pick<Column, 'key' | 'kind' | 'name'>,
  directions: IExplorerState['directions']
): Direction {
  const own = Object.prototype.hasOwnProperty.call(directions, column.key);
  if (own) {
    return directions[column.key];
  }
  return column.kind === 'metric' ? guessDirection(column.name) : 'none';
}

/** The fields that are columns unless chosen otherwise. */
const DEFAULT_FIELDS = ['started', 'status', 'seconds', 'file'];

/**
 * The columns of a view in which nobody chose any: fields, then the commonest values.
 */
export function defaultColumns(
  columns: readonly Column[],
  pinned: readonly string[]
): string[] {
  const commonest = (kind: Column['kind']): string[] => {
    const all = columns.filter(each => each.kind === kind);
    const kept = new Set(
      [...all].sort((a, b) => b.runs - a.runs).slice(0, DEFAULT_VALUES)
    );
    return all.filter(each => kept.has(each)).map(each => each.key);
  };
  const fields = new Set(
    columns.filter(each => each.kind === 'field').map(each => each.key)
  );
  return [
    ...DEFAULT_FIELDS.filter(key => fields.has(key)),
    ...commonest('metric'),
    ...commonest('parameter')
  ].filter(key => !pinned.includes(key));
}

/**
 * Move an item of a list.
 *
 * @param list - The list
 * @param item - The item
 * @param to - The index of the item that it comes before, in the list as it is
 */
export function moveItem<T>(list: readonly T[], item: T, to: number): T[] {
  const from = list.indexOf(item);
  const rest = list.filter(each => each !== item);
  rest.splice(from >= 0 && from < to ? to - 1 : to, 0, item);
  return rest;
}

/** Whether a value is an object with names. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text, or `''` where there is none. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The different texts of a list that may be anything. */
export function texts(value: unknown): string[] {
  const found = list(value).filter(
    (item): item is string => typeof item === 'string' && item !== ''
  );
  return [...new Set(found)];
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function entries(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}
