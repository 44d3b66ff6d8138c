// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import * as React from 'react';

import type { Importance, ParameterWeight } from '../../api/schema';
import { DataTable, Waiting } from '../../run/components';
import { NOTHING } from '../../run/format';
import { columnTitle } from '../cells';
import { palette, type ITheme } from '../theme';
import { choices } from './choices';
import { ChartFrame, ColumnChoice, type IChartProps } from './frame';
import { useKept } from './hooks';
import type { Scene } from './painter';
import { short } from './scale';
import type { IImportanceChart } from './state';

/** How many parameters a picture shows; the table has all of them. */
const DRAWN = 20;

const ROW = 24;
const WIDTH = 560;

/**
 * How much parameters have to do with a metric, as a table with bars.
 */
export function ImportanceView(
  props: IChartProps & {
    chart: IImportanceChart;
    onChange: (change: Partial<IImportanceChart>) => void;
  }
): JSX.Element {
  const { chart, model, onChange, theme, trans } = props;
  const { where, search } = model.state;
  const { value, error, isBusy, retry } = useKept<Importance>(
    () => model.client.importance({ where, search }, chart.metric),
    chart.metric && model.columns.length > 0
      ? JSON.stringify([where, search, chart.metric, model.revision])
      : null
  );
  const name = (key: string): string =>
    columnTitle(model.column(key), key, trans);
  const title = trans.__('Importance for %1', name(chart.metric));
  const items = value?.items ?? [];
  const known = (item: ParameterWeight): string => name(item.key);
  return (
    <ChartFrame
      title={title}
      theme={theme}
      trans={trans}
      error={error}
      onRetry={retry}
      onClose={props.onClose}
      table={null}
      picture={() =>
        items.length === 0
          ? null
          : {
              scene: drawBars(title, items.slice(0, DRAWN), known, theme),
              width: WIDTH,
              height: 44 + Math.min(DRAWN, items.length) * ROW
            }
      }
      controls={
        <ColumnChoice
          label={trans.__('Metric')}
          value={chart.metric}
          options={choices(model, trans, ['metric'])}
          onChange={metric => onChange({ metric })}
        />
      }
      note={
        value && items.length > 0
          ? trans.__(
              'Over %1 runs. Importance is the share of the metric’s variance that a parameter explains by itself; it does not say why.',
              value.runs.toLocaleString()
            )
          : undefined
      }
    >
      {!value && isBusy ? (
        <Waiting>{trans.__('Weighing the parameters…')}</Waiting>
      ) : items.length === 0 ? (
        <p className="jp-DotscienceEmpty">
          {trans.__(
            'No parameter varies among the runs that have this metric.'
          )}
        </p>
      ) : (
        <div className="jp-DotsciencePlot-importance">
          <DataTable
            caption={title}
            trans={trans}
            rows={items}
            rowKey={item => item.key}
            columns={[
              {
                id: 'parameter',
                label: trans.__('Parameter'),
                render: known,
                sortBy: known
              },
              {
                id: 'importance',
                label: trans.__('Importance'),
                render: item => <Bar share={item.importance} />,
                sortBy: item => item.importance
              },
              {
                id: 'pearson',
                label: trans.__('Pearson'),
                numeric: true,
                render: item => hundredths(item.pearson),
                sortBy: item => item.pearson ?? undefined
              },
              {
                id: 'spearman',
                label: trans.__('Spearman'),
                numeric: true,
                render: item => hundredths(item.spearman),
                sortBy: item => item.spearman ?? undefined
              },
              {
                id: 'runs',
                label: trans.__('Runs'),
                numeric: true,
                render: item => item.runs.toLocaleString(),
                sortBy: item => item.runs
              }
            ]}
          />
        </div>
      )}
    </ChartFrame>
  );
}

function hundredths(value: number | null): string {
  return value === null ? NOTHING : value.toFixed(2);
}

function Bar(props: { share: number }): JSX.Element {
  return (
    <span className="jp-DotsciencePlot-share">
      <span
        className="jp-DotsciencePlot-bar"
        aria-hidden="true"
        style={{ width: `${Math.round(props.share * 48)}px` }}
      />
      {props.share.toFixed(2)}
    </span>
  );
}

/** The same as a picture. */
function drawBars(
  title: string,
  items: readonly ParameterWeight[],
  name: (item: ParameterWeight) => string,
  theme: ITheme
): Scene {
  const [color] = palette(theme.isLight);
  const size = theme.size - 1;
  return painter => {
    painter.text(12, 18, short(title, 70), {
      color: theme.text,
      size: theme.size,
      bold: true
    });
    items.forEach((item, index) => {
      const y = 36 + index * ROW;
      painter.text(170, y + ROW / 2, short(name(item), 24), {
        color: theme.text,
        size,
        align: 'right'
      });
      const width = Math.max(1, item.importance * 320);
      painter.rect(180, y + 4, width, ROW - 8, { fill: color });
      painter.text(188 + width, y + ROW / 2, item.importance.toFixed(2), {
        color: theme.text,
        size
      });
    });
  };
}
