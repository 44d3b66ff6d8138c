// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import {
  Button,
  caretDownIcon,
  caretRightIcon
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import * as React from 'react';

import type { AttachedDataset } from '../api/schema';
import { CommandIDs } from '../commands';
import { useSignal } from '../panel/hooks';
import type { IDatasetsState } from '../tokens';
import { Versions } from './versions';
import {
  datasetsWords,
  modeWords,
  placeWords,
  shownWords,
  versionWords
} from './words';

interface IShared {
  commands: CommandRegistry;
  datasets: IDatasetsState;
  trans: TranslationBundle;

  /** Contents path of the workspace. */
  workspace: string;
}

/**
 * The datasets of the workspace: which there are, in which versions, and what can be done.
 */
export function DatasetsSection(props: IShared): React.ReactElement | null {
  const { commands, datasets, trans } = props;
  useSignal(datasets.changed);
  const [isOpen, setOpen] = React.useState(false);
  const [dismissed, setDismissed] = React.useState('');
  const id = React.useId();
  const { status } = datasets;
  const isBusy = Boolean(status?.work);
  React.useEffect(() => {
    if (isBusy) {
      // The same thing may go wrong once more.
      setDismissed('');
    }
  }, [isBusy]);
  if (!status) {
    return null;
  }
  const words = datasetsWords(status, trans);
  const Caret = isOpen ? caretDownIcon : caretRightIcon;
  return (
    <section
      className="jp-DotscienceDatasets"
      aria-label={trans.__('Datasets')}
      aria-busy={isBusy}
    >
      <div className="jp-DotscienceDatasets-line">
        <button
          className={`jp-DotsciencePanel-state jp-DotscienceDatasets-state jp-mod-${words.state}`}
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setOpen(!isOpen)}
        >
          <Caret.react tag="span" width="16px" height="16px" />
          <span>{words.text}</span>
        </button>
        <span className="jp-Dotscience-visuallyHidden" role="status">
          {words.text}
        </span>
        {isBusy && (
          <Action
            command={CommandIDs.stopDatasets}
            label={trans.__('Stop')}
            commands={commands}
          />
        )}
      </div>
      {status.error && status.error !== dismissed && (
        <p className="jp-DotscienceDatasets-problem" role="alert">
          {status.error}{' '}
          <Button
            className="jp-mod-styled"
            small
            onClick={() => setDismissed(status.error)}
          >
            {trans.__('Dismiss')}
          </Button>
        </p>
      )}
      {isOpen && (
        <div id={id} className="jp-DotscienceDatasets-more">
          {status.items.length === 0 ? (
            <p>
              {trans.__(
                'A dataset is a versioned folder of its own. Runs record which version of it they read, and which they made.'
              )}
            </p>
          ) : (
            <ul>
              {status.items.map(dataset => (
                <Dataset key={dataset.name} dataset={dataset} {...props} />
              ))}
            </ul>
          )}
          <div className="jp-DotscienceDatasets-actions">
            <Action
              command={CommandIDs.attachDataset}
              label={trans.__('Attach a Dataset…')}
              commands={commands}
            />
            <Action
              command={CommandIDs.createDataset}
              label={trans.__('New from a Folder…')}
              commands={commands}
            />
          </div>
        </div>
      )}
    </section>
  );
}

/** One dataset: a line with what people look for, and all else below it. */
function Dataset(
  props: IShared & { dataset: AttachedDataset }
): React.ReactElement {
  const { commands, dataset, trans } = props;
  const { error, mode, name, newer, newest, path, place } = dataset;
  const [isOpen, setOpen] = React.useState(false);
  const id = React.useId();
  const shown = shownWords(dataset, trans);
  const problem = placeWords(dataset, trans);
  const Caret = isOpen ? caretDownIcon : caretRightIcon;
  const action = (command: string, label: string): React.ReactElement => (
    <Action args={{ dataset: name }} {...{ command, label, commands }} />
  );
  return (
    <li className="jp-DotscienceDatasets-dataset">
      <div className="jp-DotscienceDatasets-line">
        <button
          className="jp-DotscienceDatasets-name"
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setOpen(!isOpen)}
        >
          <Caret.react tag="span" width="16px" height="16px" />
          <span>{name}</span>
        </button>
        <span className="jp-Dotscience-badge">{modeWords(mode, trans)}</span>
      </div>
      <div className="jp-DotscienceDatasets-facts">
        {place === 'there' ? (
          <button
            className="jp-DotscienceLink"
            title={trans.__('Show %1 in the file browser', path)}
            onClick={() =>
              void commands.execute(CommandIDs.showDataset, { dataset: name })
            }
          >
            {path}
          </button>
        ) : (
          <span>{path}</span>
        )}
        {shown && <span>{shown}</span>}
      </div>
      {problem && (
        <div className="jp-DotscienceDatasets-problem" role="note">
          {problem}{' '}
          {(place === 'lost' || (place === 'absent' && dataset.remote)) &&
            action(
              CommandIDs.restoreDatasets,
              place === 'lost' ? trans.__('Attach Again') : trans.__('Get It')
            )}
        </div>
      )}
      {newer && newest && !error && (
        <div className="jp-DotscienceDatasets-newer" role="note">
          <span>
            {trans.__('Newer version: %1', versionWords(newest, trans))}
          </span>{' '}
          {action(CommandIDs.useDatasetVersion, trans.__('Use It'))}
        </div>
      )}
      {isOpen && (
        <div id={id} className="jp-DotscienceDatasets-detail">
          <div className="jp-DotscienceDatasets-actions">
            {dataset.remote &&
              place !== 'absent' &&
              action(CommandIDs.fetchDataset, trans.__('Ask the Hub'))}
            {mode === 'write' &&
              place === 'there' &&
              action(CommandIDs.saveDataset, trans.__('Save a Version…'))}
            {action(CommandIDs.detachDataset, trans.__('Detach…'))}
          </div>
          {dataset.remote && (
            <p>{trans.__('On the hub: %1', dataset.remote)}</p>
          )}
          {place !== 'absent' && <Versions key={newest?.id} {...props} />}
        </div>
      )}
    </li>
  );
}

/**
 * A button that has a command executed, and cannot be pressed meanwhile.
 */
export function Action(props: {
  command: string;
  label: string;
  commands: CommandRegistry;
  args?: ReadonlyPartialJSONObject;
}): React.ReactElement | null {
  const { args, command, commands, label } = props;
  const [isBusy, setBusy] = React.useState(false);
  if (!commands.hasCommand(command)) {
    return null;
  }
  return (
    <Button
      className="jp-mod-styled"
      small
      disabled={isBusy}
      title={commands.caption(command, args)}
      onClick={() => {
        setBusy(true);
        void commands.execute(command, args).finally(() => setBusy(false));
      }}
    >
      {label}
    </Button>
  );
}
