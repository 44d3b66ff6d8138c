// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { ProjectClone } from '../api/schema';
import { CommandIDs } from '../commands';
import { useSignal } from '../panel/hooks';
import type { IProjectClones } from '../tokens';
import { Action } from './section';
import { progressWords } from './words';

interface ILinesProps {
  clones: IProjectClones;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/**
 * The projects that are being cloned, and those that were until they are dismissed.
 */
export function CloneLines(props: ILinesProps): React.ReactElement | null {
  const { clones, trans } = props;
  useSignal(clones.changed);
  if (clones.items.length === 0) {
    return null;
  }
  return (
    <section className="jp-DotscienceHub" aria-label={trans.__('Clones')}>
      {clones.items.map(clone => (
        <CloneLine key={clone.id} clone={clone} {...props} />
      ))}
    </section>
  );
}

function CloneLine(
  props: ILinesProps & { clone: ProjectClone }
): React.ReactElement {
  const { clone, commands, trans } = props;
  const { address, folder, id, message, state } = clone;
  const isOver = state !== 'cloning';
  return (
    <div aria-busy={!isOver}>
      <div className="jp-DotscienceHub-line">
        <div
          className={`jp-DotsciencePanel-state jp-DotscienceHub-state jp-mod-${STATES[state]}`}
          role="status"
        >
          {cloneWords(clone, trans)}
        </div>
        {state === 'cloned' && (
          <Action
            command={CommandIDs.openClone}
            label={trans.__('Open')}
            args={{ clone: id }}
            commands={commands}
          />
        )}
        {(state === 'failed' || state === 'stopped') && (
          <Action
            command={CommandIDs.cloneProject}
            label={trans.__('Go On')}
            args={{ address, folder }}
            commands={commands}
          />
        )}
        <Action
          command={CommandIDs.endClone}
          label={isOver ? trans.__('Dismiss') : trans.__('Stop')}
          args={{ clone: id }}
          commands={commands}
        />
      </div>
      {state === 'failed' || state === 'stopped' ? (
        <p className="jp-DotscienceHub-detail">
          {message}{' '}
          {trans.__(
            'What arrived is kept in the folder; going on takes the rest. To give it up, delete the folder.'
          )}
        </p>
      ) : (
        message && <p className="jp-DotscienceHub-detail">{message}</p>
      )}
    </div>
  );
}

const STATES: Record<ProjectClone['state'], string> = {
  cloning: 'busy',
  cloned: 'same',
  failed: 'error',
  stopped: 'waiting'
};

function cloneWords(clone: ProjectClone, trans: TranslationBundle): string {
  const { folder, name, progress } = clone;
  switch (clone.state) {
    case 'cloned':
      return trans.__('%1 is in %2 now', name, folder);
    case 'failed':
      return trans.__('%1 was not cloned to %2', name, folder);
    case 'stopped':
      return trans.__('Stopped cloning %1 to %2', name, folder);
    default:
      return progressWords(
        trans.__('Cloning %1 to %2…', name, folder),
        progress,
        trans
      );
  }
}
