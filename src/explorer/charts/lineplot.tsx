// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type uPlot from 'uplot';

import { formatNumber } from '../../run/format';
import type { ITheme } from '../theme';
import { alignLines, type ISeriesLine } from './series';
import type { ISeriesChart } from './state';

const HEIGHT = 280;

/**
 * The chart proper. Its data are exchanged in place, so that a live run only grows.
 */
export function LinePlot(props: {
  lines: readonly ISeriesLine[];
  chart: ISeriesChart;
  xLabel: string;
  theme: ITheme;
  trans: TranslationBundle;
  title: string;
}): JSX.Element {
  const { lines, chart, xLabel, theme, trans, title } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const plot = React.useRef<uPlot | null>(null);
  const legend = React.useRef<HTMLUListElement>(null);
  const latest = React.useRef(lines);
  latest.current = lines;
  // The lines' looks, for which the plot is made anew; other data only take the old ones' place.
  const looks = lines
    .map(line => `${line.run} ${line.label} ${line.raw !== null}`)
    .join('\n');

  React.useEffect(() => {
    const node = host.current;
    if (!node) {
      return;
    }
    let isGone = false;
    let observer: ResizeObserver | null = null;
    void Promise.all([
      import('uplot'),
      import('uplot/dist/uPlot.min.css')
    ]).then(([{ default: UPlot }]) => {
      if (isGone) {
        return;
      }
      plot.current = new UPlot(
        {
          ...plotOptions(UPlot, node, latest.current, chart, xLabel, theme),
          hooks: { setCursor: [each => tellValues(each, legend.current)] }
        },
        plotData(latest.current, chart.log),
        node
      );
      if (typeof ResizeObserver !== 'undefined') {
        observer = new ResizeObserver(() => {
          const width = node.clientWidth;
          if (plot.current && width > 0 && width !== plot.current.width) {
            plot.current.setSize({ width, height: HEIGHT });
          }
        });
        observer.observe(node);
      }
    });
    return () => {
      isGone = true;
      observer?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [looks, chart.x, chart.log, xLabel, theme]);

  React.useEffect(() => {
    plot.current?.setData(plotData(lines, chart.log));
  }, [lines, chart.log]);

  return (
    <>
      <div
        ref={host}
        className="jp-DotscienceChart-plot"
        role="img"
        aria-label={trans.__(
          '%1 of %2 runs over %3. The button Table shows their last values.',
          title,
          lines.length,
          xLabel
        )}
      />
      <ul
        ref={legend}
        className="jp-DotsciencePlot-legend"
        aria-label={trans.__('Runs of the chart')}
      >
        {lines.map(line => (
          <li key={line.run}>
            <svg width="28" height="8" aria-hidden="true">
              <line
                x1="0"
                x2="28"
                y1="4"
                y2="4"
                stroke={line.color}
                strokeWidth="2"
                strokeDasharray={line.dash.join(' ') || undefined}
              />
            </svg>{' '}
            {line.label} <b />
          </li>
        ))}
      </ul>
    </>
  );
}

/** Tell the values at the cursor beside the lines' names. */
function tellValues(plot: uPlot, legend: HTMLElement | null): void {
  const places = legend?.querySelectorAll('b') ?? [];
  const { idx } = plot.cursor;
  const first = plot.series.length - places.length;
  places.forEach((place, index) => {
    const value =
      typeof idx === 'number' ? plot.data[first + index]?.[idx] : null;
    place.textContent = typeof value === 'number' ? formatNumber(value) : '';
  });
}

function plotData(
  lines: readonly ISeriesLine[],
  log: boolean
): uPlot.AlignedData {
  const smoothed = lines.some(line => line.raw !== null);
  return alignLines(
    [
      ...(smoothed
        ? lines.map(({ xs, raw, ys }) => ({ xs, ys: raw ?? ys }))
        : []),
      ...lines
    ],
    log
  ) as uPlot.AlignedData;
}

function plotOptions(
  UPlot: typeof uPlot,
  node: HTMLElement,
  lines: readonly ISeriesLine[],
  chart: ISeriesChart,
  xLabel: string,
  theme: ITheme
): uPlot.Options {
  const font = `${theme.size - 2}px ${theme.family}`;
  const axis: uPlot.Axis = {
    stroke: theme.dim,
    font,
    labelFont: font,
    labelSize: 18,
    grid: { stroke: theme.border, width: 1 },
    ticks: { stroke: theme.border, width: 1 }
  };
  const numbers = (_: uPlot, values: (number | null)[]): string[] =>
    values.map(value => (value === null ? '' : formatNumber(value)));
  const isWall = chart.x === 'wall';
  const series = (line: ISeriesLine, isFaint: boolean): uPlot.Series => ({
    label: line.label,
    stroke: line.color,
    alpha: isFaint ? 0.25 : 1,
    width: isFaint ? 1 : 2,
    dash: line.dash.length > 0 ? [...line.dash] : undefined,
    spanGaps: true,
    paths: UPlot.paths.linear?.(),
    points: { show: !isFaint && line.xs.length <= 40, size: 5 }
  });
  return {
    width: Math.max(node.clientWidth, 160),
    height: HEIGHT,
    scales: {
      x: { time: isWall },
      y: chart.log ? { distr: 3, log: 10 } : {}
    },
    legend: { show: false },
    cursor: { drag: { x: true, y: false }, focus: { prox: 16 } },
    focus: { alpha: 0.3 },
    series: [
      { label: xLabel },
      ...(lines.some(line => line.raw !== null)
        ? lines.map(line => series(line, true))
        : []),
      ...lines.map(line => series(line, false))
    ],
    axes: [
      {
        ...axis,
        size: 34,
        label: xLabel,
        ...(isWall ? {} : { values: numbers })
      },
      { ...axis, size: 64, values: numbers }
    ]
  };
}
