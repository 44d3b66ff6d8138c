// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Overlay } from '../../api/schema';
import { useSignal } from '../../panel/hooks';
import { DataTable, TextButton, Waiting } from '../../run/components';
import { formatNumber, runTitle, shortId } from '../../run/format';
import type { ExplorerModel } from '../model';
import { ChartFrame, ColumnChoice, type IChartProps } from './frame';
import { useKept } from './hooks';
import { LinePlot } from './lineplot';
import { drawLines, makeLines, type ISeriesLine } from './series';
import type { ISeriesChart, SeriesX } from './state';

/** How many runs are overlaid. */
const RUNS = 20;

/**
 * The points of a metric of the selected runs and of those under way.
 */
export function SeriesView(
  props: IChartProps & {
    chart: ISeriesChart;
    onChange: (change: Partial<ISeriesChart>) => void;
  }
): JSX.Element {
  const { chart, model, onChange, theme, trans } = props;
  useSignal(model.selection.changed);
  useSignal(model.liveChanged);
  const selected = model.selection.ids;
  const live = model.live.filter(
    run =>
      run.state === 'running' &&
      run.series.some(series => series.name === chart.name)
  );
  const runs = [...new Set([...live.map(run => run.id), ...selected])].slice(
    0,
    RUNS
  );
  // How far the runs under way are: more points, another question.
  const progress = live.map(
    run => run.series.find(series => series.name === chart.name)?.count
  );
  const { value, error, isBusy, retry } = useKept(
    () => readSeries(model, chart.name, runs),
    chart.name && runs.length > 0
      ? JSON.stringify([chart.name, runs, progress])
      : null
  );
  const lines = React.useMemo(
    () =>
      makeLines(
        value?.overlay.items ?? [],
        chart,
        run => labelOf(model, run, value?.names.get(run) ?? '', trans),
        theme.isLight
      ),
    [value, chart, theme.isLight, model, trans]
  );
  const title = trans.__('%1 while training', chart.name);
  const metrics = model.columns.filter(each => each.kind === 'metric');
  const liveNames = live.flatMap(run => run.series.map(each => each.name));
  const names = [
    ...new Set([...metrics.map(each => each.name), ...liveNames])
  ].map(name => ({ key: name, title: name, group: trans.__('Metrics') }));
  const xLabel = axisTitle(chart.x, trans);
  return (
    <ChartFrame
      title={title}
      theme={theme}
      trans={trans}
      error={error}
      onRetry={retry}
      onClose={props.onClose}
      picture={() =>
        lines.length === 0
          ? null
          : {
              width: 720,
              height: 420,
              scene: drawLines({
                title: chart.name,
                xLabel,
                lines,
                chart,
                width: 720,
                height: 420,
                theme
              })
            }
      }
      table={() => <LastValues lines={lines} title={title} trans={trans} />}
      note={
        selected.length > RUNS
          ? trans.__('Shown are the first %1 selected runs.', RUNS)
          : undefined
      }
      controls={
        <>
          <ColumnChoice
            label={trans.__('Metric')}
            value={chart.name}
            options={names}
            onChange={name => onChange({ name })}
          />
          <label className="jp-DotsciencePlot-choice">
            <span>{trans.__('Over')}</span>
            <select
              aria-label={trans.__('Over')}
              value={chart.x}
              onChange={event => onChange({ x: event.target.value as SeriesX })}
            >
              <option value="step">{trans.__('steps')}</option>
              <option value="relative">{trans.__('time since start')}</option>
              <option value="wall">{trans.__('time of day')}</option>
            </select>
          </label>
          <label className="jp-DotsciencePlot-choice">
            <span>{trans.__('Smoothing')}</span>
            <input
              type="range"
              aria-label={trans.__('Smoothing')}
              min={0}
              max={0.99}
              step={0.01}
              value={chart.smoothing}
              onChange={event =>
                onChange({ smoothing: Number(event.target.value) })
              }
            />
            <output>{chart.smoothing.toFixed(2)}</output>
          </label>
          <TextButton
            pressed={chart.log}
            title={trans.__('Use a logarithmic vertical axis')}
            onClick={() => onChange({ log: !chart.log })}
          >
            {trans.__('Log')}
          </TextButton>
        </>
      }
    >
      {runs.length === 0 ? (
        <p className="jp-DotscienceEmpty">
          {trans.__('Select runs in the table to overlay their series.')}
        </p>
      ) : !value && isBusy ? (
        <Waiting>{trans.__('Reading the series…')}</Waiting>
      ) : lines.length === 0 ? (
        <p className="jp-DotscienceEmpty">
          {trans.__(
            'None of the selected runs recorded %1 more than once.',
            chart.name
          )}
        </p>
      ) : (
        <LinePlot {...{ lines, chart, xLabel, theme, trans, title }} />
      )}
    </ChartFrame>
  );
}

/** The series of runs, and what the runs are called. */
async function readSeries(
  model: ExplorerModel,
  name: string,
  runs: readonly string[]
): Promise<{ overlay: Overlay; names: ReadonlyMap<string, string> }> {
  const ids = runs.map(run => `'${run.replace(/'/g, "''")}'`).join(', ');
  const [overlay, table] = await Promise.all([
    model.client.overlay(name, runs),
    model.client.table(
      {
        where: `id in (${ids})`,
        search: '',
        sort: '',
        columns: ['description']
      },
      0,
      runs.length
    )
  ]);
  const names = table.runs.map((run, index): [string, string] => [
    run,
    String(table.rows[index][0] ?? '')
  ]);
  return { overlay, names: new Map(names) };
}

function labelOf(
  model: ExplorerModel,
  run: string,
  description: string,
  trans: TranslationBundle
): string {
  const underWay = model.live.find(each => each.id === run);
  if (underWay) {
    return trans.__('%1 (running)', runTitle(underWay, trans));
  }
  return description.trim()
    ? trans.__(
        '%1 · %2',
        runTitle({ id: run, description }, trans),
        shortId(run)
      )
    : shortId(run);
}

function axisTitle(x: SeriesX, trans: TranslationBundle): string {
  switch (x) {
    case 'step':
      return trans.__('Step');
    case 'relative':
      return trans.__('Seconds since start');
    case 'wall':
      return trans.__('Time');
  }
}

/** The numbers for those who do not see the chart. */
function LastValues(props: {
  lines: readonly ISeriesLine[];
  title: string;
  trans: TranslationBundle;
}): JSX.Element {
  const { trans } = props;
  const numbers = (line: ISeriesLine): number[] =>
    (line.raw ?? line.ys).filter((value): value is number => value !== null);
  const least = (line: ISeriesLine): number =>
    numbers(line).reduce((a, b) => Math.min(a, b), Infinity);
  const most = (line: ISeriesLine): number =>
    numbers(line).reduce((a, b) => Math.max(a, b), -Infinity);
  const last = (line: ISeriesLine): number =>
    numbers(line)[numbers(line).length - 1];
  const column = (
    id: string,
    label: string,
    value: (line: ISeriesLine) => number
  ) => ({
    id,
    label,
    numeric: true,
    render: (line: ISeriesLine) =>
      numbers(line).length > 0 ? formatNumber(value(line)) : '',
    sortBy: value
  });
  return (
    <DataTable
      caption={props.title}
      trans={trans}
      rows={[...props.lines]}
      rowKey={line => line.run}
      columns={[
        {
          id: 'run',
          label: trans.__('Run'),
          render: line => line.label,
          sortBy: line => line.label
        },
        column('points', trans.__('Points'), line => line.xs.length),
        column('least', trans.__('Lowest'), least),
        column('most', trans.__('Highest'), most),
        column('last', trans.__('Last'), last)
      ]}
    />
  );
}
