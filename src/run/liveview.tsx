// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { LiveRun, LiveSeries, SeriesPoints } from '../api/schema';
import { MetricChart } from './chart';
import { ErrorBoundary, Facts } from './components';
import type { Scalar } from './format';
import { NOTHING, formatTime, runTitle } from './format';
import { MetricsSection } from './metrics';
import type { RunModel } from './model';
import { Labels, Parameters } from './values';

/**
 * A run that has begun and is not published: what it has told so far.
 */
export function LiveView(props: {
  model: RunModel;
  run: LiveRun;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, run, themeManager, trans } = props;
  const isRunning = run.state === 'running';
  return (
    <ErrorBoundary
      message={trans.__(
        'The run cannot be shown; it goes on all the same. Close the tab and open it again.'
      )}
    >
      <header className="jp-DotscienceRun-header">
        <h1>
          {runTitle(run, trans)}{' '}
          <span className="jp-Dotscience-badge">
            {isRunning ? trans.__('running') : trans.__('gone')}
          </span>
        </h1>
        <p role="status">
          {isRunning
            ? trans.__(
                'This run is under way. What it records is shown as it comes; everything else is here once it is published.'
              )
            : trans.__(
                'The process of this run has ended without publishing it. What it told is kept; the explorer can record it as failed.'
              )}
        </p>
      </header>
      <Facts
        facts={[
          { label: trans.__('Started'), value: formatTime(run.started) },
          { label: trans.__('Last news'), value: formatTime(run.updated) },
          { label: trans.__('File'), value: run.workload_file ?? NOTHING },
          { label: trans.__('Author'), value: run.author || NOTHING }
        ]}
      />
      <LiveMetrics {...{ model, run, themeManager, trans }} />
      <Parameters parameters={run.parameters} trans={trans} />
      <Labels labels={run.labels} trans={trans} />
    </ErrorBoundary>
  );
}

function LiveMetrics(props: {
  model: RunModel;
  run: LiveRun;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, run, themeManager, trans } = props;
  const values: Record<string, Scalar> = { ...run.metrics };
  for (const { name, last } of run.series) {
    values[name] = last ?? values[name] ?? null;
  }
  return (
    <MetricsSection
      values={values}
      counts={new Map(run.series.map(({ name, count }) => [name, count]))}
      valueLabel={trans.__('Newest value')}
      empty={trans.__('The run has told no metric yet.')}
      trans={trans}
    >
      <div className="jp-DotscienceCharts">
        {run.series
          .filter(({ count }) => count > 1)
          .map(each => (
            <LiveChart
              key={each.name}
              series={each}
              {...{ model, themeManager, trans }}
            />
          ))}
      </div>
    </MetricsSection>
  );
}

/**
 * A chart that grows; what was drawn stays until more has come.
 */
function LiveChart(props: {
  model: RunModel;
  series: LiveSeries;
  themeManager: IThemeManager | null;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, series, themeManager, trans } = props;
  const { name, count } = series;
  const [points, setPoints] = React.useState<SeriesPoints | null>(null);
  React.useEffect(() => {
    let isGone = false;
    model.liveSeries(name).then(
      value => {
        if (!isGone && value) {
          setPoints(value);
        }
      },
      () => {
        // The next point asks again; the table has the newest value.
      }
    );
    return () => {
      isGone = true;
    };
  }, [model, name, count]);
  const curves = React.useMemo(
    () => (points ? [{ label: name, points }] : []),
    [name, points]
  );
  return curves.length > 0 ? (
    <div className="jp-DotscienceCharts-item">
      <MetricChart {...{ name, curves, themeManager, trans }} />
    </div>
  ) : null;
}
