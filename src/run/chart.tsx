// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import type uPlot from 'uplot';
import { messageOf } from '../reason';

import { DataTable, Failure, TextButton, Waiting } from './components';
import type { CurveX, ICurve } from './curves';
import { alignCurves, canBeLogarithmic, elapsed, extremes } from './curves';
import { formatNumber, formatValue } from './format';

const HEIGHT = 220;

/**
 * Theme variables that lines are drawn with, in turn.
 */
const LINE_COLORS = [
  '--jp-brand-color1',
  '--jp-warn-color0',
  '--jp-success-color1',
  '--jp-error-color1'
];

/**
 * A metric over steps or time: a chart, or the same numbers as a table.
 */
export function MetricChart(props: {
  name: string;
  curves: ICurve[];
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { name, curves, trans } = props;
  const [x, setX] = React.useState<CurveX>('step');
  const [log, setLog] = React.useState(false);
  const [table, setTable] = React.useState(false);
  const logarithmic = log && canBeLogarithmic(curves);
  const decimated = curves.some(
    ({ points }) => points.values.length < points.count
  );

  return (
    <figure className="jp-DotscienceChart">
      <figcaption>
        <span className="jp-DotscienceChart-name">{name}</span>
        <span
          className="jp-DotscienceChart-tools"
          role="group"
          aria-label={trans.__('How %1 is shown', name)}
        >
          <TextButton
            pressed={x === 'time'}
            title={trans.__(
              'Show time instead of steps on the horizontal axis'
            )}
            onClick={() => setX(x === 'step' ? 'time' : 'step')}
          >
            {trans.__('Time')}
          </TextButton>
          <TextButton
            pressed={logarithmic}
            disabled={!canBeLogarithmic(curves)}
            title={trans.__('Use a logarithmic vertical axis')}
            onClick={() => setLog(!log)}
          >
            {trans.__('Log')}
          </TextButton>
          <TextButton
            pressed={table}
            title={trans.__('Show the numbers as a table')}
            onClick={() => setTable(!table)}
          >
            {trans.__('Table')}
          </TextButton>
        </span>
      </figcaption>
      {table ? (
        <PointsTable name={name} curves={curves} trans={trans} />
      ) : (
        <Plot {...props} x={x} log={logarithmic} />
      )}
      {decimated && (
        <p className="jp-DotscienceChart-note">
          {trans.__(
            'Shown are %1 of %2 points, the extremes among them.',
            Math.max(...curves.map(curve => curve.points.values.length)),
            Math.max(...curves.map(curve => curve.points.count))
          )}
        </p>
      )}
    </figure>
  );
}

/**
 * The chart proper.
 */
function Plot(props: {
  name: string;
  curves: ICurve[];
  x: CurveX;
  log: boolean;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { curves, x, log, themeManager, trans } = props;
  const host = React.useRef<HTMLDivElement>(null);
  const theme = useThemeRound(themeManager);
  const [error, setError] = React.useState<string | null>(null);
  const [drawn, setDrawn] = React.useState(false);

  React.useEffect(() => {
    const node = host.current;
    if (!node) {
      return;
    }
    let gone = false;
    let plot: uPlot | null = null;
    let observer: ResizeObserver | null = null;
    const draw = async (): Promise<void> => {
      const [{ default: UPlot }] = await Promise.all([
        import('uplot'),
        import('uplot/dist/uPlot.min.css')
      ]);
      if (gone) {
        return;
      }
      const columns = alignCurves(curves, x, log);
      plot = new UPlot(
        plotOptions({ UPlot, node, curves, x, log, trans }),
        columns as uPlot.AlignedData,
        node
      );
      setDrawn(true);
      if (typeof ResizeObserver !== 'undefined') {
        observer = new ResizeObserver(() => {
          const width = node.clientWidth;
          if (plot && width > 0 && width !== plot.width) {
            plot.setSize({ width, height: HEIGHT });
          }
        });
        observer.observe(node);
      }
    };
    draw().catch((reason: unknown) => {
      if (!gone) {
        setError(messageOf(reason));
      }
    });
    return () => {
      gone = true;
      observer?.disconnect();
      plot?.destroy();
    };
  }, [curves, x, log, theme, trans]);

  if (error !== null) {
    return (
      <Failure
        message={trans.__(
          'The chart could not be drawn; the table shows the same numbers.'
        )}
        details={error}
        trans={trans}
      />
    );
  }
  return (
    <>
      {!drawn && <Waiting>{trans.__('Drawing the chart…')}</Waiting>}
      <div
        ref={host}
        className="jp-DotscienceChart-plot"
        role="img"
        aria-label={describe(props.name, curves, trans)}
      />
    </>
  );
}

/**
 * The same numbers for those who do not see the chart or want to read them.
 */
function PointsTable(props: {
  name: string;
  curves: ICurve[];
  trans: TranslationBundle;
}): JSX.Element {
  const { name, curves, trans } = props;
  return (
    <>
      {curves.map(({ label, points }) => {
        const seconds = elapsed(points.times);
        return (
          <div key={label} className="jp-DotscienceChart-table">
            {curves.length > 1 && <h3>{label}</h3>}
            <DataTable
              caption={trans.__('Points of %1', name)}
              trans={trans}
              rows={points.steps.map((step, index) => ({
                index,
                step,
                value: points.values[index],
                seconds: seconds[index]
              }))}
              rowKey={row => String(row.index)}
              columns={[
                {
                  id: 'step',
                  label: trans.__('Step'),
                  numeric: true,
                  render: row => formatNumber(row.step),
                  sortBy: row => row.step
                },
                {
                  id: 'value',
                  label: trans.__('Value'),
                  numeric: true,
                  render: row => formatValue(row.value ?? undefined, true),
                  sortBy: row => row.value
                },
                {
                  id: 'time',
                  label: trans.__('Seconds'),
                  numeric: true,
                  render: row => formatNumber(row.seconds),
                  sortBy: row => row.seconds
                }
              ]}
            />
          </div>
        );
      })}
    </>
  );
}

/**
 * One sentence in the place of the picture.
 */
function describe(
  name: string,
  curves: ICurve[],
  trans: TranslationBundle
): string {
  return curves
    .map(({ label, points }) => {
      const found = extremes(points);
      const title = curves.length > 1 ? `${name} (${label})` : name;
      return found
        ? trans.__(
            'Chart of %1: %2 points between %3 and %4, the last %5.',
            title,
            points.count,
            formatNumber(found.least),
            formatNumber(found.most),
            formatNumber(found.last)
          )
        : trans.__('Chart of %1: no numbers.', title);
    })
    .join(' ');
}

/**
 * Counts theme changes, so that what is painted with theme colours is painted again.
 */
function useThemeRound(manager: IThemeManager | null): number {
  const [round, setRound] = React.useState(0);
  React.useEffect(() => {
    if (!manager) {
      return;
    }
    const onThemeChanged = (): void => setRound(n => n + 1);
    manager.themeChanged.connect(onThemeChanged);
    return () => {
      manager.themeChanged.disconnect(onThemeChanged);
    };
  }, [manager]);
  return round;
}

/**
 * A theme variable's value; a canvas cannot use the variable itself.
 */
function themeValue(node: Element, name: string): string {
  return getComputedStyle(node).getPropertyValue(name).trim() || 'gray';
}

function plotOptions(options: {
  UPlot: typeof uPlot;
  node: HTMLElement;
  curves: ICurve[];
  x: CurveX;
  log: boolean;
  trans: TranslationBundle;
}): uPlot.Options {
  const { UPlot, node, curves, x, log, trans } = options;
  const text = themeValue(node, '--jp-ui-font-color1');
  const line = themeValue(node, '--jp-border-color2');
  const family = themeValue(node, '--jp-ui-font-family');
  const axis: uPlot.Axis = {
    stroke: text,
    font: `11px ${family}`,
    labelFont: `11px ${family}`,
    labelSize: 18,
    grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1 },
    border: { show: true, stroke: line, width: 1 }
  };
  const numbers = (_: uPlot, values: (number | null)[]): string[] =>
    values.map(value => (value === null ? '' : formatNumber(value)));
  return {
    width: Math.max(node.clientWidth, 160),
    height: HEIGHT,
    scales: { x: { time: false }, y: log ? { distr: 3, log: 10 } : {} },
    legend: { show: true, live: true },
    cursor: { drag: { x: true, y: false } },
    series: [
      {
        label: x === 'step' ? trans.__('Step') : trans.__('Seconds'),
        value: (_, value) => (value === null ? '' : formatNumber(value))
      },
      ...curves.map(({ label, points, style = 0 }): uPlot.Series => ({
        label,
        stroke: themeValue(node, LINE_COLORS[style % LINE_COLORS.length]),
        width: 2,
        // lines differ in more than their colour
        dash: style === 0 ? undefined : [2 + 4 * style, 4],
        // straight lines: nothing is shown that was not measured
        paths: UPlot.paths.linear?.(),
        points: { show: points.values.length <= 40 },
        value: (_, value) => (value === null ? '' : formatNumber(value))
      }))
    ],
    axes: [
      {
        ...axis,
        label: x === 'step' ? trans.__('Step') : trans.__('Seconds'),
        values: numbers
      },
      { ...axis, size: 64, values: numbers }
    ]
  };
}
