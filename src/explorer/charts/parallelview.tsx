// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import * as React from 'react';

import { useSignal } from '../../panel/hooks';
import { TextButton, Waiting } from '../../run/components';
import { runTitle } from '../../run/format';
import { columnTitle } from '../cells';
import { choices } from './choices';
import {
  CanvasChart,
  ChartFrame,
  ColumnChoice,
  Tip,
  type IChartProps
} from './frame';
import { usePoints } from './hooks';
import type { IPoint, Scene } from './painter';
import { layoutParallel, type Brushes, type IParallel } from './parallel';
import { MAX_AXES, type IParallelChart } from './state';
import { ValuesTable } from './table';

const HEIGHT = 320;

/** How long a brush must be, in px; shorter ones are clicks, which take a brush away. */
const DRAG = 4;

/**
 * Runs as lines across axes; brushes on axes select the runs that cross them all.
 */
export function ParallelView(
  props: IChartProps & {
    chart: IParallelChart;
    onChange: (change: Partial<IParallelChart>) => void;
  }
): JSX.Element {
  const { chart, model, onChange, theme, trans } = props;
  const { selection } = model;
  useSignal(selection.changed);
  const keys = [...chart.columns, chart.color, 'description'];
  const { value: points, error, isBusy, retry } = usePoints(model, keys);
  const [brushes, setBrushes] = React.useState<Brushes>({});
  const [drawn, setDrawn] = React.useState<{
    key: string;
    from: number;
  } | null>(null);
  const [hover, setHover] = React.useState<{ run: number; at: IPoint } | null>(
    null
  );
  const kept = React.useRef<IParallel | null>(null);
  const known = React.useRef<unknown>(null);
  const width = React.useRef(0);

  const title = trans.__('Parallel coordinates');
  const layout = React.useCallback(
    (wide: number): IParallel | null =>
      points && chart.columns.length > 0
        ? layoutParallel({
            points,
            columns: chart.columns,
            color: chart.color,
            column: key => model.column(key),
            width: wide,
            height: HEIGHT,
            theme,
            trans
          })
        : null,
    [points, chart, theme, model, trans]
  );
  const marked = selection.ids.join();
  const scene = React.useCallback(
    (wide: number): Scene | null => {
      if (width.current !== wide || known.current !== layout) {
        width.current = wide;
        known.current = layout;
        kept.current = layout(wide);
      }
      return (
        kept.current?.scene(
          run => selection.has(run),
          selection.size > 0,
          brushes
        ) ?? null
      );
    },
    [layout, marked, brushes]
  );

  const onDown = (at: IPoint): void => {
    const key = kept.current?.axis(at) ?? null;
    setHover(null);
    if (key !== null) {
      setDrawn({ key, from: at[1] });
    } else if (points && kept.current) {
      const run = kept.current.near(at);
      if (run >= 0) {
        selection.set([points.runs[run]]);
      }
    }
  };
  const onMove = (at: IPoint): void => {
    const place = kept.current;
    if (!place) {
      return;
    }
    if (!drawn) {
      const run = place.near(at);
      setHover(run >= 0 ? { run, at } : null);
      return;
    }
    const clamp = (y: number): number =>
      Math.max(place.top - 6, Math.min(place.bottom + 6, y));
    const [a, b] = [clamp(drawn.from), clamp(at[1])];
    setBrushes({
      ...brushes,
      [drawn.key]: [Math.min(a, b), Math.max(a, b)]
    });
  };
  const onUp = (at: IPoint): void => {
    if (!drawn) {
      return;
    }
    setDrawn(null);
    const next = { ...brushes };
    if (Math.abs(at[1] - drawn.from) <= DRAG) {
      delete next[drawn.key];
    }
    setBrushes(next);
    if (kept.current) {
      const any = Object.keys(next).length > 0;
      selection.set(any ? kept.current.inside(next) : []);
    }
  };

  const options = choices(model, trans);
  const name = (key: string): string =>
    columnTitle(model.column(key), key, trans);
  return (
    <ChartFrame
      title={title}
      theme={theme}
      trans={trans}
      error={error}
      onRetry={retry}
      onClose={props.onClose}
      picture={() => {
        const drawing = scene(width.current || 600);
        return drawing
          ? { scene: drawing, width: width.current || 600, height: HEIGHT }
          : null;
      }}
      table={() =>
        points && (
          <ValuesTable
            caption={title}
            points={points}
            columns={chart.columns}
            model={model}
            trans={trans}
          />
        )
      }
      note={
        points?.sampled
          ? trans.__(
              'Shown are %1 of %2 runs, evenly chosen.',
              points.runs.length,
              points.total.toLocaleString()
            )
          : trans.__(
              'Drag along axes to select the runs that cross there; click an axis to take its range away.'
            )
      }
      controls={
        <>
          {chart.columns.map(key => (
            <button
              key={key}
              type="button"
              className="jp-DotscienceButton"
              aria-label={trans.__('Take the axis %1 away', name(key))}
              title={trans.__('Take the axis %1 away', name(key))}
              onClick={() => {
                setBrushes({});
                onChange({
                  columns: chart.columns.filter(each => each !== key)
                });
              }}
            >
              {name(key)} <span aria-hidden="true">✕</span>
            </button>
          ))}
          {chart.columns.length < MAX_AXES && (
            <ColumnChoice
              label={trans.__('Add')}
              value=""
              none={trans.__('an axis…')}
              options={options.filter(
                each => !chart.columns.includes(each.key)
              )}
              onChange={key => {
                if (key) {
                  setBrushes({});
                  onChange({ columns: [...chart.columns, key] });
                }
              }}
            />
          )}
          <ColumnChoice
            label={trans.__('Colour')}
            value={chart.color}
            none={trans.__('none')}
            options={options}
            onChange={color => onChange({ color })}
          />
          {Object.keys(brushes).length > 0 && (
            <TextButton
              title={trans.__('Take all ranges away')}
              onClick={() => {
                setBrushes({});
                selection.set([]);
              }}
            >
              {trans.__('Clear ranges')}
            </TextButton>
          )}
        </>
      }
    >
      {chart.columns.length === 0 ? (
        <p className="jp-DotscienceEmpty">
          {trans.__('Add parameters and metrics as axes.')}
        </p>
      ) : !points && isBusy ? (
        <Waiting>{trans.__('Reading the runs…')}</Waiting>
      ) : points && points.runs.length === 0 ? (
        <p className="jp-DotscienceEmpty">{trans.__('No runs match.')}</p>
      ) : (
        <CanvasChart
          height={HEIGHT}
          theme={theme}
          scene={scene}
          cursor="crosshair"
          label={trans.__(
            '%1 runs as lines across %2. The filter above selects them in words.',
            points?.runs.length ?? 0,
            chart.columns.map(name).join(', ')
          )}
          onDown={onDown}
          onMove={onMove}
          onUp={onUp}
          onLeave={() => setHover(null)}
          onDoubleClick={at => {
            const run = kept.current?.near(at) ?? -1;
            if (points && run >= 0) {
              props.onOpen(points.runs[run]);
            }
          }}
        >
          {points && hover && (
            <Tip at={hover.at} width={width.current}>
              <b>
                {runTitle(
                  {
                    id: points.runs[hover.run],
                    description: String(
                      points.columns.description?.[hover.run] ?? ''
                    )
                  },
                  trans
                )}
              </b>
              {chart.columns.map(key => (
                <div key={key}>
                  {name(key)}:{' '}
                  {model.text(
                    key,
                    points.columns[key]?.[hover.run] ?? null,
                    trans
                  )}
                </div>
              ))}
            </Tip>
          )}
        </CanvasChart>
      )}
    </ChartFrame>
  );
}
