// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import { line } from 'd3-shape';
import * as React from 'react';

import type { LiveRun } from '../api/schema';
import { relativeTime, shortValue } from '../panel/format';
import { useNow, useSignal } from '../panel/hooks';
import { LinkButton, TextButton } from '../run/components';
import { runTitle } from '../run/format';
import { liveText } from './cells';
import type { ExplorerModel } from './model';

/** How often relative times are told anew, in ms. */
const TICK = 30_000;

/** How many runs under way are shown. */
const SHOWN = 8;

/** How many metrics of each. */
const METRICS = 3;

/** How many points a sparkline remembers. */
const POINTS = 60;

const WIDTH = 60;
const HEIGHT = 16;

/**
 * Runs that have begun and are not published.
 */
export function LiveStrip(props: {
  model: ExplorerModel;
  language: string;
  trans: TranslationBundle;
  onOpen: (run: string) => void;
  onAbandon: (run: LiveRun) => void;
}): JSX.Element | null {
  const { model, trans } = props;
  useSignal(model.liveChanged);
  const now = useNow(TICK);
  const { live } = model;
  const history = useHistory(model);
  if (live.length === 0) {
    return null;
  }
  return (
    <section
      className="jp-DotscienceLive"
      aria-label={trans.__('Runs under way')}
    >
      <ul>
        {live.slice(0, SHOWN).map(run => {
          const title = runTitle(run, trans);
          return (
            <li key={run.id} className={`jp-mod-${run.state}`}>
              <span className="jp-Dotscience-badge">
                {liveText(run.state, trans)}
              </span>
              <span className="jp-DotscienceLive-title">
                <LinkButton title={title} onClick={() => props.onOpen(run.id)}>
                  {title}
                </LinkButton>
              </span>
              <span className="jp-DotscienceLive-time">
                {trans.__(
                  'started %1',
                  relativeTime(run.started, now, props.language)
                )}
              </span>
              {run.series.slice(0, METRICS).map(series => (
                <span key={series.name} className="jp-DotscienceLive-metric">
                  {series.name} <b>{shortValue(series.last ?? undefined)}</b>
                  <Sparkline
                    values={
                      history.get(keyOf(run.id, series.name))?.values ?? []
                    }
                  />
                </span>
              ))}
              {Object.entries(run.metrics)
                .filter(([name]) =>
                  run.series.every(each => each.name !== name)
                )
                .slice(0, Math.max(0, METRICS - run.series.length))
                .map(([name, value]) => (
                  <span key={name} className="jp-DotscienceLive-metric">
                    {name} <b>{shortValue(value)}</b>
                  </span>
                ))}
              {run.state === 'gone' && (
                <TextButton
                  title={trans.__(
                    'Its process has ended without publishing it: record it as failed'
                  )}
                  onClick={() => props.onAbandon(run)}
                >
                  {trans.__('Mark as abandoned')}
                </TextButton>
              )}
            </li>
          );
        })}
      </ul>
      {live.length > SHOWN && (
        <p className="jp-DotscienceEmpty">
          {trans._n('And %1 more.', 'And %1 more.', live.length - SHOWN)}
        </p>
      )}
    </section>
  );
}

/** The newest values of metrics of runs under way, oldest first, by run and name. */
type History = ReadonlyMap<
  string,
  { count: number; values: readonly number[] }
>;

/**
 * The values so far: at first what the server has, then what it tells with each event.
 */
function useHistory(model: ExplorerModel): History {
  const { live } = model;
  const [history, setHistory] = React.useState<History>(new Map());
  const asked = React.useRef(new Set<string>());
  React.useEffect(() => {
    let isGone = false;
    setHistory(before => added(before, live));
    for (const run of live) {
      for (const { name, count } of run.series.slice(0, METRICS)) {
        const key = keyOf(run.id, name);
        if (!asked.current.has(key) && count > 1) {
          asked.current.add(key);
          model.client.overlay(name, [run.id], POINTS).then(
            ({ items }) => {
              const values = (items[0]?.values ?? []).filter(isNumber);
              if (!isGone && values.length > 1) {
                setHistory(before =>
                  new Map(before).set(key, {
                    count: before.get(key)?.count ?? items[0].count,
                    values: values.slice(-POINTS)
                  })
                );
              }
            },
            () => {
              // It begins with the next event then.
            }
          );
        }
      }
    }
    return () => {
      isGone = true;
    };
  }, [live, model]);
  return history;
}

function added(before: History, live: readonly LiveRun[]): History {
  const after = new Map<string, { count: number; values: readonly number[] }>();
  for (const run of live) {
    for (const { name, count, last } of run.series) {
      const key = keyOf(run.id, name);
      const known = before.get(key) ?? { count: -1, values: [] };
      after.set(
        key,
        count !== known.count && last !== null
          ? { count, values: [...known.values, last].slice(-POINTS) }
          : known
      );
    }
  }
  return after;
}

function keyOf(run: string, name: string): string {
  return `${run} ${name}`;
}

function isNumber(value: number | null): value is number {
  return value !== null && Number.isFinite(value);
}

/** How values went, without axes; the number beside it says what matters. */
function Sparkline(props: { values: readonly number[] }): JSX.Element | null {
  const values = props.values.filter(Number.isFinite);
  if (values.length < 2) {
    return null;
  }
  const least = Math.min(...values);
  const range = Math.max(...values) - least || 1;
  const path = line<number>(
    (_, index) => (index / (values.length - 1)) * WIDTH,
    value => HEIGHT - 2 - ((value - least) / range) * (HEIGHT - 4)
  );
  return (
    <svg
      className="jp-DotscienceLive-spark"
      width={WIDTH}
      height={HEIGHT}
      aria-hidden="true"
    >
      <path d={path([...values]) ?? ''} />
    </svg>
  );
}
