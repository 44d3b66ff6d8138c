// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Button, copyIcon, refreshIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import { CommandIDs } from '../commands';
import { dotscienceIcon } from '../icons';
import type { IWorkspaceTracker } from '../tokens';
import { EXAMPLE_CODE } from './example';

/** What brings the server extension where it is missing; commands are not translated. */
const INSTALL = `pip install dotscience-jupyter
jupyter server extension enable dotscience_jupyter`;

interface IStateProps {
  tracker: IWorkspaceTracker;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

/**
 * What the panel says while the server side is not there; null when it is.
 */
export function ConnectionState(props: IStateProps): React.ReactElement | null {
  const { tracker, trans } = props;
  switch (tracker.connection) {
    case 'connecting':
      return <Message title={trans.__('Connecting…')} />;
    case 'missing':
      return (
        <Message title={trans.__('The server extension is not running')}>
          <p>
            {trans.__(
              'Nothing is tracked at the moment, and nothing that was tracked is lost. Install dotscience-jupyter where Jupyter Server runs, or enable it there, and start the server again:'
            )}
          </p>
          <pre>{INSTALL}</pre>
          <Retry {...props} />
        </Message>
      );
    case 'forbidden':
      return (
        <Message title={trans.__('No access')}>
          <p>
            {trans.__(
              'The server does not let you see the runs of this folder. Log in again, or ask who runs the server.'
            )}
          </p>
          <Details text={tracker.error?.message} />
          <Retry {...props} />
        </Message>
      );
    case 'offline':
      return (
        <Message title={trans.__('The server cannot be reached')}>
          <p>
            {trans.__(
              'What was published is safe in the workspace and is committed once the server is back. Trying again by itself…'
            )}
          </p>
          <Details text={tracker.error?.message} />
          <Retry {...props} />
        </Message>
      );
    default:
      return null;
  }
}

/**
 * What the panel says in a folder that is not tracked.
 */
export function NoWorkspace(props: IStateProps): React.ReactElement {
  const { tracker, commands, trans } = props;
  const [isBusy, setBusy] = React.useState(false);
  const suggested = tracker.suggestedPath;

  const start = async (path: string, force: boolean) => {
    setBusy(true);
    try {
      await commands.execute(CommandIDs.startTracking, { path, force });
    } finally {
      setBusy(false);
    }
  };

  const startAnyway = async () => {
    const { button } = await showDialog({
      title: trans.__('Track this folder?'),
      body: trans.__(
        '%1 A commit takes in every file below the folder, which can take long and need much space.',
        tracker.reason
      ),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.warnButton({ label: trans.__('Track Anyway') })
      ]
    });
    if (button.accept) {
      await start(tracker.path, true);
    }
  };

  return (
    <Message title={trans.__('This folder is not tracked')}>
      <p>
        {trans.__(
          'In a tracked folder every run is kept together with exactly the code and data it ran with. Your files stay as and where they are.'
        )}
      </p>
      {suggested !== null ? (
        <>
          <Button
            className="jp-mod-styled jp-mod-accept"
            disabled={isBusy}
            onClick={() => void start(suggested, false)}
          >
            {trans.__('Start tracking this folder')}
          </Button>
          <p className="jp-DotsciencePanel-folder">
            {suggested === ''
              ? trans.__('The folder is the top folder of this server.')
              : trans.__('The folder is %1.', suggested)}
          </p>
        </>
      ) : (
        <>
          <p role="note">{tracker.reason}</p>
          {tracker.error === null && (
            <Button
              className="jp-mod-styled"
              disabled={isBusy}
              onClick={() => void startAnyway()}
            >
              {trans.__('Track it anyway…')}
            </Button>
          )}
        </>
      )}
      {commands.hasCommand(CommandIDs.cloneProject) && (
        <Button
          className="jp-mod-styled"
          disabled={isBusy}
          onClick={() => void commands.execute(CommandIDs.cloneProject)}
        >
          {trans.__('Clone a project from the hub…')}
        </Button>
      )}
    </Message>
  );
}

/**
 * What the panel says in a workspace that has no runs yet.
 */
export function NoRuns(props: {
  commands: CommandRegistry;
  trans: TranslationBundle;
}): React.ReactElement {
  const { commands, trans } = props;
  const [isCopied, setCopied] = React.useState(false);
  React.useEffect(() => {
    if (isCopied) {
      const timer = window.setTimeout(() => setCopied(false), 2000);
      return () => window.clearTimeout(timer);
    }
    return undefined;
  }, [isCopied]);
  return (
    <Message title={trans.__('No runs yet')}>
      <p>
        {trans.__(
          'Publish one from a notebook cell or a script, and it shows up here:'
        )}
      </p>
      <pre tabIndex={0} aria-label={trans.__('Example code')}>
        {EXAMPLE_CODE}
      </pre>
      <Button
        className="jp-mod-styled"
        onClick={() => {
          void commands
            .execute(CommandIDs.copyExampleCode)
            .then(() => setCopied(true));
        }}
      >
        <copyIcon.react tag="span" width="14px" height="14px" />{' '}
        <span aria-live="polite">
          {isCopied ? trans.__('Copied') : trans.__('Copy')}
        </span>
      </Button>
    </Message>
  );
}

/**
 * What the panel says when the filter lets no run through.
 */
export function NoMatches(props: {
  trans: TranslationBundle;
  onClear: () => void;
}): React.ReactElement {
  const { trans } = props;
  return (
    <Message title={trans.__('No run matches')}>
      <Button className="jp-mod-styled" onClick={props.onClear}>
        {trans.__('Show all runs')}
      </Button>
    </Message>
  );
}

/**
 * A title with something below it, in the middle of the panel.
 */
export function Message(props: {
  title: string;
  children?: React.ReactNode;
}): React.ReactElement {
  return (
    <div className="jp-DotsciencePanel-message">
      <dotscienceIcon.react tag="span" width="32px" height="32px" />
      <h3>{props.title}</h3>
      {props.children}
    </div>
  );
}

function Details(props: {
  text: string | undefined;
}): React.ReactElement | null {
  return props.text ? (
    <p className="jp-DotsciencePanel-details">{props.text}</p>
  ) : null;
}

function Retry(props: IStateProps): React.ReactElement {
  const { commands, trans } = props;
  const [isBusy, setBusy] = React.useState(false);
  return (
    <Button
      className="jp-mod-styled"
      disabled={isBusy}
      onClick={() => {
        setBusy(true);
        void commands.execute(CommandIDs.refresh).finally(() => setBusy(false));
      }}
    >
      <refreshIcon.react tag="span" width="14px" height="14px" />{' '}
      {trans.__('Retry')}
    </Button>
  );
}
