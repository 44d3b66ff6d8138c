// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { Column } from '../../api/schema';

/** How many charts a view can have. */
export const MAX_CHARTS = 12;

/** How many axes a chart of parallel coordinates can have. */
export const MAX_AXES = 16;

/** Runs as points of two columns. */
export interface IScatterChart {
  readonly type: 'scatter';
  readonly id: string;
  readonly x: string;
  readonly y: string;
  /** The column that colours and shapes stand for; `''` for none. */
  readonly color: string;
  readonly logX: boolean;
  readonly logY: boolean;
}

/** What the horizontal axis of training series is. */
export type SeriesX = 'step' | 'relative' | 'wall';

/** The points of a metric of the selected runs. */
export interface ISeriesChart {
  readonly type: 'series';
  readonly id: string;
  /** The metric's name. */
  readonly name: string;
  readonly x: SeriesX;
  /** Weight of what came before, from 0 to 0.99. */
  readonly smoothing: number;
  readonly log: boolean;
}

/** Runs as lines across the axes of several columns. */
export interface IParallelChart {
  readonly type: 'parallel';
  readonly id: string;
  readonly columns: readonly string[];
  /** The column that colours stand for; `''` for none. */
  readonly color: string;
}

/** What parameters have to do with a metric. */
export interface IImportanceChart {
  readonly type: 'importance';
  readonly id: string;
  /** The metric's key. */
  readonly metric: string;
}

/** A chart of a view. */
export type IChart =
  IScatterChart | ISeriesChart | IParallelChart | IImportanceChart;

/** What can be added; `time` is a scatter of a metric over the moments when runs started. */
export type ChartKind = IChart['type'] | 'time';

/**
 * Make a chart of what the runs have.
 *
 * @param kind - What is wanted
 * @param columns - What the runs have
 * @param id - Tells it from the others
 */
export function makeChart(
  kind: ChartKind,
  columns: readonly Column[],
  id: string
): IChart {
  const byRuns = (of: Column['kind']): Column[] =>
    columns.filter(each => each.kind === of).sort((a, b) => b.runs - a.runs);
  const numbers = (of: Column['kind']): Column[] =>
    byRuns(of).filter(each => each.type === 'number');
  const varied = (of: Column['kind']): Column[] =>
    byRuns(of).filter(
      each => each.type !== 'number' || each.minimum !== each.maximum
    );
  const metric = numbers('metric')[0] ?? byRuns('metric')[0];
  const y = metric?.key ?? 'seconds';
  switch (kind) {
    case 'time':
      return scatter(id, 'started', y);
    case 'scatter': {
      const x = numbers('parameter').find(
        each => each.minimum !== each.maximum
      );
      return scatter(id, x?.key ?? varied('parameter')[0]?.key ?? 'started', y);
    }
    case 'series':
      return {
        type: 'series',
        id,
        // What is recorded step by step is mostly a loss.
        name:
          byRuns('metric').find(each => /loss/i.test(each.name))?.name ??
          metric?.name ??
          '',
        x: 'step',
        smoothing: 0,
        log: false
      };
    case 'parallel':
      return {
        type: 'parallel',
        id,
        columns: [
          ...varied('parameter').slice(0, 4),
          ...numbers('metric').slice(0, 2).reverse()
        ].map(each => each.key),
        color: metric?.key ?? ''
      };
    case 'importance':
      return { type: 'importance', id, metric: metric?.key ?? '' };
  }
}

function scatter(id: string, x: string, y: string): IScatterChart {
  return { type: 'scatter', id, x, y, color: '', logX: false, logY: false };
}

/**
 * Read charts that were kept; those that are not what they should be are left out.
 */
export function parseCharts(kept: unknown): IChart[] {
  const charts = (Array.isArray(kept) ? kept : [])
    .map(parseChart)
    .filter((chart): chart is IChart => chart !== null);
  const ids = new Set<string>();
  return charts
    .filter(({ id }) => !ids.has(id) && ids.add(id))
    .slice(0, MAX_CHARTS);
}

function parseChart(kept: unknown): IChart | null {
  if (typeof kept !== 'object' || kept === null) {
    return null;
  }
  const given = kept as Record<string, unknown>;
  const text = (name: string): string =>
    typeof given[name] === 'string' ? (given[name] as string) : '';
  const id = text('id');
  if (!id) {
    return null;
  }
  switch (given.type) {
    case 'scatter':
      return {
        ...scatter(id, text('x'), text('y')),
        color: text('color'),
        logX: given.logX === true,
        logY: given.logY === true
      };
    case 'series':
      return {
        type: 'series',
        id,
        name: text('name'),
        x: ['relative', 'wall'].includes(text('x'))
          ? (text('x') as SeriesX)
          : 'step',
        smoothing: clamp(Number(given.smoothing) || 0, 0, 0.99),
        log: given.log === true
      };
    case 'parallel':
      return {
        type: 'parallel',
        id,
        columns: (Array.isArray(given.columns) ? given.columns : [])
          .filter((key): key is string => typeof key === 'string')
          .slice(0, MAX_AXES),
        color: text('color')
      };
    case 'importance':
      return { type: 'importance', id, metric: text('metric') };
    default:
      return null;
  }
}

/** A number kept between two others. */
export function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
