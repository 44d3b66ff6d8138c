// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { CommitDetail, LogInfo, LogText } from '../api/schema';
import {
  DataTable,
  Failure,
  Section,
  TextButton,
  Waiting,
  useAsked
} from './components';
import { formatBytes } from './format';
import { LOG_TAIL } from './model';

/**
 * The logs that came with the run's commit; each is read when it is opened.
 */
export function Logs(props: {
  logs: LogInfo[];
  log: (name: string, tail: number) => Promise<LogText>;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { logs, log, trans } = props;
  if (logs.length === 0) {
    return null;
  }
  return (
    <Section title={trans.__('Logs')} count={logs.length}>
      {logs.map(info => (
        <Log key={info.name} info={info} log={log} trans={trans} />
      ))}
    </Section>
  );
}

function Log(props: {
  info: LogInfo;
  log: (name: string, tail: number) => Promise<LogText>;
  trans: TranslationBundle;
}): JSX.Element {
  const { info, log, trans } = props;
  const [open, setOpen] = React.useState(false);
  const [wrap, setWrap] = React.useState(true);
  const [tail, setTail] = React.useState(LOG_TAIL);
  const { value, error, retry } = useAsked(
    () => log(info.name, tail),
    `${info.name}\n${tail}`,
    open
  );
  const title = trans.__('%1 (%2)', info.name, formatBytes(info.size));
  return (
    <details
      className="jp-DotscienceDetails"
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary>{title}</summary>
      {open && (
        <>
          <div className="jp-DotscienceLog-tools">
            <TextButton pressed={wrap} onClick={() => setWrap(!wrap)}>
              {trans.__('Wrap lines')}
            </TextButton>
            {value?.truncated && (
              <>
                <TextButton onClick={() => setTail(tail * 10)}>
                  {trans.__('Show more')}
                </TextButton>
                <span>
                  {trans.__(
                    'Shown is the end: the last %1 of %2.',
                    formatBytes(tail),
                    formatBytes(value.size)
                  )}
                </span>
              </>
            )}
          </div>
          {value ? (
            <pre
              className={`jp-DotscienceLog${wrap ? ' jp-mod-wrap' : ''}`}
              tabIndex={0}
              aria-label={title}
            >
              {value.text}
            </pre>
          ) : error ? (
            <Failure
              message={trans.__('The log could not be read.')}
              details={error.message}
              trans={trans}
              onRetry={retry}
            />
          ) : (
            <Waiting>{trans.__('Reading the log…')}</Waiting>
          )}
        </>
      )}
    </details>
  );
}

/**
 * The commit's flat metadata, as other readers of the format see it.
 */
export function CommitMetadata(props: {
  commit: string;
  ask: (commit: string) => Promise<CommitDetail>;
  trans: TranslationBundle;
}): JSX.Element {
  const { commit, ask, trans } = props;
  const [open, setOpen] = React.useState(false);
  const { value, error, retry } = useAsked(() => ask(commit), commit, open);
  return (
    <Section title={trans.__('Commit metadata')}>
      <details
        className="jp-DotscienceDetails"
        onToggle={event => setOpen(event.currentTarget.open)}
      >
        <summary>
          {trans.__('Metadata of commit %1, as recorded', commit.slice(0, 8))}
        </summary>
        {!open ? null : value ? (
          <DataTable
            caption={trans.__('Commit metadata')}
            rows={Object.keys(value.metadata).sort()}
            rowKey={key => key}
            trans={trans}
            columns={[
              {
                id: 'key',
                label: trans.__('Key'),
                render: key => <code>{key}</code>
              },
              {
                id: 'value',
                label: trans.__('Value'),
                render: key => (
                  <code className="jp-DotscienceValue">
                    {value.metadata[key]}
                  </code>
                )
              }
            ]}
          />
        ) : error ? (
          <Failure
            message={trans.__('The commit could not be read.')}
            details={error.message}
            trans={trans}
            onRetry={retry}
          />
        ) : (
          <Waiting>{trans.__('Reading the commit…')}</Waiting>
        )}
      </details>
    </Section>
  );
}
