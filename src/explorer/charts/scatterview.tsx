// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import * as React from 'react';

import { useSignal } from '../../panel/hooks';
import { TextButton, Waiting } from '../../run/components';
import { runTitle } from '../../run/format';
import { columnTitle } from '../cells';
import {
  CanvasChart,
  ChartFrame,
  ColumnChoice,
  Tip,
  type IChartProps
} from './frame';
import { usePoints } from './hooks';
import { choices, isNumber } from './choices';
import type { IPoint, Scene } from './painter';
import { layoutScatter, type IScatter } from './scatter';
import type { IScatterChart } from './state';
import { ValuesTable } from './table';

const HEIGHT = 320;

/** How far the mouse must move before runs are brushed rather than clicked, in px. */
const DRAG = 4;

/**
 * Runs as points of two columns; the selected ones are marked, and can be chosen here too.
 */
export function ScatterView(
  props: IChartProps & {
    chart: IScatterChart;
    onChange: (change: Partial<IScatterChart>) => void;
  }
): JSX.Element {
  const { chart, model, onChange, theme, trans } = props;
  const { selection } = model;
  useSignal(selection.changed);
  const keys = [chart.x, chart.y, chart.color, 'description'];
  const { value: points, error, isBusy, retry } = usePoints(model, keys);
  const [hover, setHover] = React.useState(-1);
  const [brush, setBrush] = React.useState<[IPoint, IPoint] | null>(null);
  const kept = React.useRef<IScatter | null>(null);
  const width = React.useRef(0);

  const name = (key: string): string =>
    columnTitle(model.column(key), key, trans);
  const title = trans.__('%1 against %2', name(chart.y), name(chart.x));

  const layout = React.useCallback(
    (wide: number): IScatter | null =>
      points
        ? layoutScatter({
            points,
            chart,
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
        kept.current?.scene(run => selection.has(run), selection.size > 0) ??
        null
      );
    },
    [layout, marked]
  );
  const known = React.useRef<typeof layout | null>(null);

  const onUp = (at: IPoint, event: React.PointerEvent): void => {
    const add = event.ctrlKey || event.metaKey || event.shiftKey;
    const drawn = brush;
    setBrush(null);
    if (!points || !kept.current || !drawn) {
      return;
    }
    const isBrush =
      Math.abs(at[0] - drawn[0][0]) > DRAG ||
      Math.abs(at[1] - drawn[0][1]) > DRAG;
    if (isBrush) {
      const runs = kept.current.inside(drawn[0], at);
      selection.set(add ? [...selection.ids, ...runs] : runs);
      return;
    }
    const found = kept.current.near(at);
    if (found < 0) {
      if (!add) {
        selection.set([]);
      }
    } else if (add) {
      selection.toggle(points.runs[found]);
    } else {
      selection.set([points.runs[found]]);
    }
  };

  const options = choices(model, trans);
  const place = hover >= 0 ? kept.current?.at(hover) : null;
  const shown = points
    ? points.runs.filter(
        (_, index) =>
          points.columns[chart.x]?.[index] !== null &&
          points.columns[chart.y]?.[index] !== null
      ).length
    : 0;
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
            columns={[chart.x, chart.y, chart.color].filter(
              (key, index, all) => key && all.indexOf(key) === index
            )}
            model={model}
            trans={trans}
          />
        )
      }
      note={
        points
          ? points.sampled
            ? trans.__(
                'Shown are %1 of %2 runs, evenly chosen.',
                points.runs.length,
                points.total.toLocaleString()
              )
            : shown < points.runs.length
              ? trans.__(
                  '%1 of %2 runs have both values.',
                  shown,
                  points.runs.length
                )
              : undefined
          : undefined
      }
      controls={
        <>
          <ColumnChoice
            label={trans.__('X')}
            value={chart.x}
            options={options}
            onChange={x => onChange({ x })}
          />
          <ColumnChoice
            label={trans.__('Y')}
            value={chart.y}
            options={options}
            onChange={y => onChange({ y })}
          />
          <ColumnChoice
            label={trans.__('Colour')}
            value={chart.color}
            none={trans.__('none')}
            options={options}
            onChange={color => onChange({ color })}
          />
          <TextButton
            pressed={chart.logX}
            disabled={!isNumber(model, chart.x)}
            title={trans.__('Use a logarithmic horizontal axis')}
            onClick={() => onChange({ logX: !chart.logX })}
          >
            {trans.__('Log X')}
          </TextButton>
          <TextButton
            pressed={chart.logY}
            disabled={!isNumber(model, chart.y)}
            title={trans.__('Use a logarithmic vertical axis')}
            onClick={() => onChange({ logY: !chart.logY })}
          >
            {trans.__('Log Y')}
          </TextButton>
        </>
      }
    >
      {!points && isBusy ? (
        <Waiting>{trans.__('Reading the runs…')}</Waiting>
      ) : points && points.runs.length === 0 ? (
        <p className="jp-DotscienceEmpty">{trans.__('No runs match.')}</p>
      ) : (
        <CanvasChart
          height={HEIGHT}
          theme={theme}
          scene={scene}
          cursor="crosshair"
          label={
            points
              ? trans.__(
                  'Scatter chart of %1 over %2 of %3 runs, %4 of them selected. The table of runs has the same values.',
                  name(chart.y),
                  name(chart.x),
                  points.runs.length,
                  points.runs.filter(run => selection.has(run)).length
                )
              : title
          }
          onDown={at => {
            setHover(-1);
            setBrush([at, at]);
          }}
          onMove={at => {
            if (brush) {
              setBrush([brush[0], at]);
            } else {
              setHover(kept.current?.near(at) ?? -1);
            }
          }}
          onUp={onUp}
          onLeave={() => setHover(-1)}
          onDoubleClick={at => {
            const found = kept.current?.near(at) ?? -1;
            if (points && found >= 0) {
              props.onOpen(points.runs[found]);
            }
          }}
        >
          {brush && (
            <div
              className="jp-DotsciencePlot-brush"
              style={{
                left: Math.min(brush[0][0], brush[1][0]),
                top: Math.min(brush[0][1], brush[1][1]),
                width: Math.abs(brush[0][0] - brush[1][0]),
                height: Math.abs(brush[0][1] - brush[1][1])
              }}
            />
          )}
          {points && place && (
            <Tip at={place} width={width.current}>
              <b>
                {runTitle(
                  {
                    id: points.runs[hover],
                    description: String(
                      points.columns.description?.[hover] ?? ''
                    )
                  },
                  trans
                )}
              </b>
              {[chart.x, chart.y, chart.color]
                .filter((key, index, all) => key && all.indexOf(key) === index)
                .map(key => (
                  <div key={key}>
                    {name(key)}:{' '}
                    {model.text(
                      key,
                      points.columns[key]?.[hover] ?? null,
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
