// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { LiveRun } from '../api/schema';
import { CommandIDs } from '../commands';
import { LinkButton } from '../run/components';
import { runTitle } from '../run/format';
import type { IWorkspaceTracker } from '../tokens';
import { shortValue } from './format';

/** How many runs under way are named. */
const SHOWN = 3;

/**
 * The runs of the workspace at hand that have begun and are not published, each a line.
 */
export function LiveLines(props: {
  tracker: IWorkspaceTracker;
  /** Contents path of the workspace. */
  workspace: string;
  commands: CommandRegistry;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { tracker, workspace, commands, trans } = props;
  const [live, setLive] = React.useState<readonly LiveRun[]>([]);
  React.useEffect(() => {
    let turn = 0;
    const read = (): void => {
      const mine = ++turn;
      tracker.client.live(workspace).then(
        ({ items }) => {
          if (mine === turn) {
            setLive(items);
          }
        },
        () => {
          // What is known stays; the next event asks again.
        }
      );
    };
    read();
    tracker.liveChanged.connect(read);
    tracker.runsChanged.connect(read);
    return () => {
      turn = -1;
      tracker.liveChanged.disconnect(read);
      tracker.runsChanged.disconnect(read);
    };
  }, [tracker, workspace]);
  if (live.length === 0) {
    return null;
  }
  return (
    <ul
      className="jp-DotscienceLiveLines"
      aria-label={trans.__('Runs under way')}
    >
      {live.slice(0, SHOWN).map(run => (
        <li key={run.id}>
          <span className="jp-Dotscience-badge">
            {run.state === 'running' ? trans.__('running') : trans.__('gone')}
          </span>
          <LinkButton
            title={trans.__('Open run %1', run.id)}
            onClick={() =>
              void commands.execute(CommandIDs.openRun, {
                run: run.id,
                workspace
              })
            }
          >
            {runTitle(run, trans)}
          </LinkButton>
          {run.series.slice(0, 1).map(({ name, last }) => (
            <span key={name} className="jp-DotscienceLiveLines-metric">
              {name} <b>{shortValue(last ?? undefined)}</b>
            </span>
          ))}
        </li>
      ))}
      {live.length > SHOWN && (
        <li>{trans._n('And %1 more.', 'And %1 more.', live.length - SHOWN)}</li>
      )}
    </ul>
  );
}
