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

import type { SyncRemote, SyncStatus } from '../api/schema';
import { CommandIDs } from '../commands';
import { useSignal } from '../panel/hooks';
import { formatTime } from '../run/format';
import type { IHubState } from '../tokens';
import { hubWords } from './words';

interface ISectionProps {
  hub: IHubState;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/**
 * The hub of the workspace: how both stand, and what can be done.
 */
export function HubSection(props: ISectionProps): React.ReactElement | null {
  const { commands, hub, trans } = props;
  useSignal(hub.changed);
  const [isOpen, setOpen] = React.useState(false);
  const id = React.useId();
  const { status } = hub;
  if (!status) {
    return null;
  }
  const words = hubWords(status, trans);
  const { remote } = status;
  const Caret = isOpen ? caretDownIcon : caretRightIcon;
  return (
    <section
      className="jp-DotscienceHub"
      aria-label={trans.__('Hub')}
      aria-busy={status.activity !== 'idle'}
    >
      <div className="jp-DotscienceHub-line">
        {remote ? (
          <button
            className={`jp-DotsciencePanel-state jp-DotscienceHub-state jp-mod-${words.state}`}
            aria-expanded={isOpen}
            aria-controls={id}
            title={trans.__('%1: %2', remote.name, words.text)}
            onClick={() => setOpen(!isOpen)}
          >
            <Caret.react tag="span" width="16px" height="16px" />
            <span role="status">{words.text}</span>
          </button>
        ) : (
          <div
            className={`jp-DotsciencePanel-state jp-DotscienceHub-state jp-mod-${words.state}`}
            role="status"
          >
            {words.text}
          </div>
        )}
        {words.command && (
          <Action
            command={words.command}
            label={helpLabel(words.command, status, trans)}
            args={
              words.command === CommandIDs.openMerge
                ? { theirs: status.theirs }
                : {}
            }
            commands={commands}
          />
        )}
        {words.command === CommandIDs.connectHub && !remote && (
          <Action
            command={CommandIDs.cloneProject}
            label={trans.__('Clone a Project…')}
            commands={commands}
          />
        )}
      </div>
      {words.detail && (
        <p className="jp-DotscienceHub-detail">{words.detail}</p>
      )}
      {remote && isOpen && (
        <div
          id={id}
          className="jp-DotscienceHub-more"
          role="group"
          aria-label={trans.__('What can be done with the hub')}
        >
          <Facts status={status} remote={remote} trans={trans} />
          <div className="jp-DotscienceHub-actions">
            {(
              [
                [CommandIDs.push, trans.__('Push')],
                [CommandIDs.pull, trans.__('Pull')],
                [CommandIDs.fetch, trans.__('Fetch')],
                ...(remote.user === null
                  ? []
                  : [[CommandIDs.logOut, trans.__('Log Out…')] as const]),
                [CommandIDs.disconnectHub, trans.__('Disconnect…')],
                [CommandIDs.cloneProject, trans.__('Clone a Project…')]
              ] as const
            ).map(([command, label]) => (
              <Action key={command} {...{ command, label, commands }} />
            ))}
          </div>
        </div>
      )}
    </section>
  );
}

function Facts(props: {
  status: SyncStatus;
  remote: SyncRemote;
  trans: TranslationBundle;
}): React.ReactElement {
  const { status, remote, trans } = props;
  return (
    <dl>
      <dt>{trans.__('Project')}</dt>
      <dd>{remote.name}</dd>
      <dt>{trans.__('Hub')}</dt>
      <dd>{remote.url}</dd>
      <dt>{trans.__('User')}</dt>
      <dd>{remote.user ?? trans.__('nobody is logged in')}</dd>
      <dt>{trans.__('Last asked')}</dt>
      <dd>{status.asked ? formatTime(status.asked) : trans.__('never')}</dd>
    </dl>
  );
}

/**
 * A button that executes a command; nothing where there is no such command.
 */
export function Action(props: {
  command: string;
  label: string;
  commands: CommandRegistry;
  args?: ReadonlyPartialJSONObject;
}): React.ReactElement | null {
  const { command, commands, label, args } = props;
  const [isBusy, setBusy] = React.useState(false);
  if (!commands.hasCommand(command)) {
    return null;
  }
  return (
    <Button
      className="jp-mod-styled"
      small
      disabled={isBusy}
      title={commands.caption(command)}
      onClick={() => {
        setBusy(true);
        void commands.execute(command, args).finally(() => setBusy(false));
      }}
    >
      {label}
    </Button>
  );
}

function helpLabel(
  command: string,
  status: SyncStatus,
  trans: TranslationBundle
): string {
  switch (command) {
    case CommandIDs.connectHub:
      return status.remote
        ? trans.__('Log In…')
        : trans.__('Connect to a Hub…');
    case CommandIDs.openMerge:
      return trans.__('Merge…');
    case CommandIDs.fetch:
      return trans.__('Fetch');
    case CommandIDs.pull:
      return trans.__('Pull');
    default:
      return status.error ? trans.__('Try Again') : trans.__('Push');
  }
}
