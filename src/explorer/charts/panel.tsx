// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';
import * as React from 'react';

import { useSignal } from '../../panel/hooks';
import { ErrorBoundary } from '../../run/components';
import type { ExplorerModel } from '../model';
import type { IChartProps } from './frame';
import { useTheme } from './hooks';
import { ImportanceView } from './importanceview';
import { ParallelView } from './parallelview';
import { ScatterView } from './scatterview';
import { SeriesView } from './seriesview';
import { makeChart, MAX_CHARTS, type ChartKind, type IChart } from './state';

/**
 * All charts of a view, and a way to add one.
 */
export function ChartPanel(props: {
  model: ExplorerModel;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
  onOpen: (run: string) => void;
}): JSX.Element {
  const { model, themeManager, trans } = props;
  useSignal(model.changed);
  const theme = useTheme(themeManager);
  const { charts } = model.state;
  const change = (id: string, part: Partial<IChart>): void =>
    model.update({
      charts: charts.map(each =>
        each.id === id ? ({ ...each, ...part } as IChart) : each
      )
    });
  return (
    <div className="jp-DotsciencePlots">
      <div className="jp-DotsciencePlots-add">
        <label className="jp-DotsciencePlot-choice">
          <span>{trans.__('Add a chart')}</span>
          <select
            aria-label={trans.__('Add a chart')}
            value=""
            disabled={charts.length >= MAX_CHARTS || model.columns.length === 0}
            onChange={event => {
              const chart = makeChart(
                event.target.value as ChartKind,
                model.columns,
                UUID.uuid4()
              );
              model.update({ charts: [chart, ...charts] });
            }}
          >
            <option value="" disabled>
              {trans.__('Choose…')}
            </option>
            <option value="scatter">{trans.__('Scatter')}</option>
            <option value="time">{trans.__('Metric over time of runs')}</option>
            <option value="series">{trans.__('Training series')}</option>
            <option value="parallel">{trans.__('Parallel coordinates')}</option>
            <option value="importance">
              {trans.__('Importance of parameters')}
            </option>
          </select>
        </label>
      </div>
      {charts.length === 0 && (
        <p className="jp-DotscienceEmpty">
          {trans.__('There are no charts. Add one above.')}
        </p>
      )}
      {charts.map(chart => (
        <ErrorBoundary
          key={chart.id}
          message={trans.__('The chart could not be drawn.')}
        >
          <Chart
            {...{ model, theme, themeManager, trans, chart }}
            onOpen={props.onOpen}
            onChange={part => change(chart.id, part)}
            onClose={() =>
              model.update({
                charts: charts.filter(each => each.id !== chart.id)
              })
            }
          />
        </ErrorBoundary>
      ))}
    </div>
  );
}

function Chart(
  props: IChartProps & {
    chart: IChart;
    onChange: (part: Partial<IChart>) => void;
  }
): JSX.Element {
  const { chart } = props;
  switch (chart.type) {
    case 'scatter':
      return <ScatterView {...props} chart={chart} />;
    case 'series':
      return <SeriesView {...props} chart={chart} />;
    case 'parallel':
      return <ParallelView {...props} chart={chart} />;
    case 'importance':
      return <ImportanceView {...props} chart={chart} />;
  }
}
