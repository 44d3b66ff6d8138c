// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import {
  Button,
  caretDownIcon,
  caretRightIcon,
  InputGroup,
  refreshIcon
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type {
  ChangedFile,
  ErrorDetail,
  Status,
  Workspace
} from '../api/schema';
import { CommandIDs } from '../commands';
import type { IWorkspaceTracker } from '../tokens';
import { useSignal } from './hooks';

interface IHeaderProps {
  tracker: IWorkspaceTracker;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/**
 * The workspace, its state, and the way to commit it.
 */
export function Header(props: IHeaderProps): React.ReactElement {
  const { tracker, commands, trans } = props;
  useSignal(tracker.statusChanged);
  const workspace = tracker.workspace;
  const where = workspace?.path || trans.__('the top folder of this server');
  return (
    <div className="jp-DotsciencePanel-header">
      <div className="jp-DotsciencePanel-titleLine">
        <h2
          title={
            workspace ? `${where}\n${engineText(workspace, trans)}` : where
          }
        >
          {workspace?.name}
        </h2>
        {commands.hasCommand(CommandIDs.openCommits) && (
          <Button
            className="jp-DotsciencePanel-commits"
            minimal
            small
            title={commands.caption(CommandIDs.openCommits)}
            onClick={() =>
              void commands.execute(CommandIDs.openCommits, {
                workspace: workspace?.path ?? ''
              })
            }
          >
            {commands.label(CommandIDs.openCommits, { isMenu: true })}
          </Button>
        )}
        <Button
          minimal
          small
          aria-label={trans.__('Refresh')}
          title={trans.__('Look at the folder again')}
          onClick={() => void commands.execute(CommandIDs.refresh)}
        >
          <refreshIcon.react tag="span" width="16px" height="16px" />
        </Button>
      </div>
      <StateLine status={tracker.status} trans={trans} />
      {tracker.status?.status === 'changed' &&
        commands.hasCommand(CommandIDs.showChanges) && (
          <Button
            className="jp-DotsciencePanel-showChanges"
            minimal
            small
            title={trans.__(
              'Show how the files as they are now differ from the newest commit'
            )}
            onClick={() => void commands.execute(CommandIDs.showChanges)}
          >
            {trans.__('Changes')}
          </Button>
        )}
      <CommitForm {...props} />
    </div>
  );
}

/**
 * The committer's state in a few words; never only by colour.
 */
export function stateText(
  status: Status | null,
  trans: TranslationBundle
): string {
  if (status === null) {
    return trans.__('Looking at the folder…');
  }
  switch (status.status) {
    case 'clean':
      return trans.__('Everything is committed');
    case 'committing':
      return trans.__('Committing…');
    case 'error': {
      const count = status.error_detail.length;
      return count > 0
        ? trans._n('%1 problem', '%1 problems', count)
        : status.message || trans.__('There is a problem');
    }
    case 'changed': {
      const count = changedCount(status);
      return trans._n('%1 changed file', '%1 changed files', count);
    }
    default:
      return status.message;
  }
}

/**
 * What freezes the files of a workspace, and how that is doing.
 */
export function engineText(
  workspace: Workspace,
  trans: TranslationBundle
): string {
  const { engine, engine_state: state } = workspace;
  // a server that is older than the page tells no state
  const how = state?.watching
    ? trans.__('Snapshot engine: %1, told of changes', engine)
    : trans.__('Snapshot engine: %1', engine);
  return state?.put_off
    ? trans.__('%1; some work is done in the background', how)
    : how;
}

/**
 * How many files differ from the newest commit.
 */
export function changedCount(status: Status): number {
  return status.changed_files.length + status.more_changed_files;
}

function StateLine(props: {
  status: Status | null;
  trans: TranslationBundle;
}): React.ReactElement {
  const { status, trans } = props;
  const [isOpen, setOpen] = React.useState(false);
  const id = React.useId();
  const text = stateText(status, trans);
  const hasDetails =
    status !== null &&
    (changedCount(status) > 0 ||
      status.error_detail.length > 0 ||
      status.unclaimed_files.length > 0);
  const className = `jp-DotsciencePanel-state jp-mod-${status?.status ?? 'unknown'}`;
  if (!hasDetails) {
    return (
      <div className={className} role="status" title={status?.message}>
        {text}
      </div>
    );
  }
  const Caret = isOpen ? caretDownIcon : caretRightIcon;
  return (
    <>
      <button
        className={className}
        aria-expanded={isOpen}
        aria-controls={id}
        title={status.message}
        onClick={() => setOpen(!isOpen)}
      >
        <Caret.react tag="span" width="16px" height="16px" />
        <span role="status">{text}</span>
      </button>
      {isOpen && (
        <div
          id={id}
          className="jp-DotsciencePanel-changes"
          role="group"
          aria-label={trans.__('Details of the state')}
          tabIndex={0}
        >
          <Problems errors={status.error_detail} trans={trans} />
          <Changes
            files={status.changed_files}
            more={status.more_changed_files}
            trans={trans}
          />
          <Unclaimed status={status} trans={trans} />
        </div>
      )}
    </>
  );
}

function Problems(props: {
  errors: readonly ErrorDetail[];
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { errors, trans } = props;
  if (errors.length === 0) {
    return null;
  }
  return (
    <ul className="jp-DotsciencePanel-problems">
      {errors.map((error, index) => (
        <li key={index}>
          {error.notebook !== null && (
            <strong>
              {error.cell === null
                ? error.notebook
                : trans.__('%1, cell %2', error.notebook, error.cell + 1)}
              {': '}
            </strong>
          )}
          {error.message}
        </li>
      ))}
    </ul>
  );
}

function Changes(props: {
  files: readonly ChangedFile[];
  more: number;
  trans: TranslationBundle;
}): React.ReactElement {
  const { files, more, trans } = props;
  const names: Record<ChangedFile['file_status'], string> = {
    added: trans.__('added'),
    modified: trans.__('modified'),
    removed: trans.__('removed'),
    renamed: trans.__('renamed')
  };
  return (
    <ul>
      {files.map(file => (
        <li key={file.filename} title={file.filename}>
          <span className="jp-Dotscience-badge">{names[file.file_status]}</span>{' '}
          {file.old_filename
            ? trans.__('%1 → %2', file.old_filename, file.filename)
            : file.filename}
        </li>
      ))}
      {more > 0 && <li>{trans._n('and %1 more', 'and %1 more', more)}</li>}
    </ul>
  );
}

function Unclaimed(props: {
  status: Status;
  trans: TranslationBundle;
}): React.ReactElement | null {
  const { status, trans } = props;
  if (status.unclaimed_files.length === 0) {
    return null;
  }
  const more = status.more_unclaimed_files;
  return (
    <>
      <h4>{trans.__('Files that no run has declared')}</h4>
      <ul>
        {status.unclaimed_files.map(name => (
          <li key={name} title={name}>
            {name}
          </li>
        ))}
        {more > 0 && <li>{trans._n('and %1 more', 'and %1 more', more)}</li>}
      </ul>
    </>
  );
}

function CommitForm(props: IHeaderProps): React.ReactElement {
  const { commands, trans } = props;
  const [description, setDescription] = React.useState('');
  const [isBusy, setBusy] = React.useState(false);
  const commit = async () => {
    setBusy(true);
    try {
      const done = await commands.execute(CommandIDs.commit, { description });
      if (done) {
        setDescription('');
      }
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      className="jp-DotsciencePanel-commit"
      onSubmit={event => {
        event.preventDefault();
        void commit();
      }}
    >
      <InputGroup
        type="text"
        placeholder={trans.__('What is this about?')}
        aria-label={trans.__('Description of the commit')}
        value={description}
        disabled={isBusy}
        onChange={event => setDescription(event.target.value)}
      />
      <Button
        className="jp-mod-styled jp-mod-accept"
        type="submit"
        disabled={isBusy}
        title={trans.__(
          'Save the open documents of this workspace and commit its files'
        )}
      >
        {isBusy ? trans.__('Committing…') : trans.__('Save and commit')}
      </Button>
    </form>
  );
}
