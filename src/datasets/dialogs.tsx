// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type {
  DatasetVersion,
  HubLogin,
  HubProject,
  KnownDataset
} from '../api/schema';
import { Field, Problem, ask } from '../form';
import { useAnswer } from '../panel/hooks';
import { firstLine } from '../run/format';
import type { DatasetsClient } from './client';
import { versionWords } from './words';

/** Where datasets appear for which nobody chooses a path. */
const FOLDER = 'datasets';

/** Stands for a hub on which the user is not logged in yet. */
export const OTHER_HUB = 'other';

/**
 * Which dataset is to be attached, and how.
 */
export interface IAttachAnswer {
  /** `''` for this machine, the address of a hub, or {@link OTHER_HUB}. */
  source: string;

  /** The name of one of this machine; what one of a hub is to be called here. */
  name: string;

  /** The id of one of a hub. */
  project: string;

  /** The version; `''` for the newest. */
  version: string;

  /** The path in the workspace; `''` for the usual one. */
  to: string;

  /** Whether runs may change it. */
  isWritable: boolean;
}

/**
 * What is to become a dataset, and how it is attached.
 */
export interface ICreateAnswer {
  name: string;

  /** Contents path of the folder; `''` for a new one. */
  folder: string;

  /** What the first version is. */
  message: string;

  /** The path in the workspace; `''` for the usual one. */
  to: string;

  /** Whether runs may change it. */
  isWritable: boolean;
}

interface IAttachOptions {
  /** What stands there at first. */
  value: IAttachAnswer;

  /** The datasets of this machine. */
  known: readonly KnownDataset[];

  /** The hubs on which the user is logged in. */
  hubs: readonly HubLogin[];

  /** Contents path of the workspace. */
  workspace: string;

  /** Asked for versions, and for what hubs have. */
  client: Pick<DatasetsClient, 'onHub' | 'versions'>;

  /** Why the last answer would not do. */
  error: string;

  trans: TranslationBundle;
}

interface ICreateOptions {
  /** What stands there at first. */
  value: ICreateAnswer;

  /** Why the last answer would not do. */
  error: string;

  trans: TranslationBundle;
}

/**
 * Ask which dataset is to be attached, and how.
 *
 * @returns The answer, or null if the user did not want to
 */
export async function askAttach(
  options: IAttachOptions
): Promise<IAttachAnswer | null> {
  const { trans, value } = options;
  return ask(value, onChange => <Attach {...options} onChange={onChange} />, {
    title: trans.__('Attach a Dataset'),
    accept: trans.__('Attach'),
    focus: '.jp-DotscienceDatasetForm-source',
    trans
  });
}

/**
 * Ask how the dataset of a folder is to be called, and how it is attached.
 *
 * @returns The answer, or null if the user did not want to
 */
export async function askCreate(
  options: ICreateOptions
): Promise<ICreateAnswer | null> {
  const { trans, value } = options;
  return ask(value, onChange => <Create {...options} onChange={onChange} />, {
    title: trans.__('New Dataset'),
    accept: trans.__('Make and Attach'),
    focus: '.jp-DotscienceDatasetForm-name',
    trans
  });
}

function Attach(
  props: IAttachOptions & { onChange: (value: IAttachAnswer) => void }
): React.ReactElement {
  const { client, error, hubs, known, onChange, trans, workspace } = props;
  const [value, setValue] = React.useState(props.value);
  const { isWritable, name, project, source, to, version } = value;
  const change = (fields: Partial<IAttachAnswer>): void =>
    setValue({ ...value, ...fields });
  React.useEffect(() => onChange(value), [onChange, value]);
  const isHub = source !== '' && source !== OTHER_HUB;
  const onHub = useAnswer<HubProject>(isHub ? source : '', () =>
    client.onHub(source)
  );
  const versions = useAnswer<DatasetVersion>(
    source === '' ? name : '',
    async () => (await client.versions(workspace, name)).items
  );
  const chosen = source === '' ? name : name || lastPart(onHub.items, project);
  return (
    <>
      <Problem text={error || onHub.error || versions.error} />
      <label>
        {trans.__('Where it is')}
        <select
          className="jp-mod-styled jp-DotscienceDatasetForm-source"
          value={source}
          onChange={event =>
            change({
              source: event.target.value,
              name: event.target.value === '' ? (known[0]?.name ?? '') : '',
              project: '',
              version: ''
            })
          }
        >
          <option value="">{trans.__('On this machine')}</option>
          {hubs.map(({ url }) => (
            <option key={url} value={url}>
              {url}
            </option>
          ))}
          <option value={OTHER_HUB}>{trans.__('On another hub…')}</option>
        </select>
      </label>
      {source === OTHER_HUB && (
        <p className="jp-DotscienceForm-hint">
          {trans.__('You are asked which hub it is, and to log in there.')}
        </p>
      )}
      {source === '' &&
        (known.length > 0 ? (
          <label>
            {trans.__('Dataset')}
            <select
              className="jp-mod-styled"
              value={name}
              onChange={event =>
                change({ name: event.target.value, version: '' })
              }
            >
              {known.map(each => (
                <option key={each.name} value={each.name}>
                  {each.attached
                    ? trans.__('%1 (attached already)', each.name)
                    : each.name}
                </option>
              ))}
            </select>
          </label>
        ) : (
          <p role="note">
            {trans.__(
              'There is no dataset on this machine yet. Make one from a folder, or choose a hub.'
            )}
          </p>
        ))}
      {isHub && (
        <>
          <label>
            {trans.__('Dataset')}
            <select
              className="jp-mod-styled"
              value={project}
              disabled={onHub.items.length === 0}
              onChange={event => change({ project: event.target.value })}
            >
              <option value="" disabled>
                {onHub.isReading
                  ? trans.__('Asking the hub…')
                  : onHub.items.length > 0
                    ? trans.__('Choose one')
                    : trans.__('There is none that you may see')}
              </option>
              {onHub.items.map(each => (
                <option key={each.project} value={each.project}>
                  {each.name}
                </option>
              ))}
            </select>
          </label>
          <Field
            label={trans.__('What it is called here')}
            type="text"
            maxLength={64}
            placeholder={chosen}
            value={name}
            onText={text => change({ name: text })}
          />
        </>
      )}
      {source === '' && known.length > 0 && (
        <label>
          {trans.__('Version')}
          <select
            className="jp-mod-styled"
            value={version}
            disabled={isWritable}
            onChange={event => change({ version: event.target.value })}
          >
            <option value="">{trans.__('The newest')}</option>
            {versions.items.map(each => (
              <option key={each.id} value={each.id}>
                {`${versionWords(each, trans)} ${firstLine(each.message)}`}
              </option>
            ))}
          </select>
        </label>
      )}
      {source !== OTHER_HUB && (
        <Place
          name={chosen}
          to={to}
          isWritable={isWritable}
          onPath={text => change({ to: text })}
          onWritable={checked =>
            change({ isWritable: checked, version: checked ? '' : version })
          }
          trans={trans}
        />
      )}
    </>
  );
}

function Create(
  props: ICreateOptions & { onChange: (value: ICreateAnswer) => void }
): React.ReactElement {
  const { error, onChange, trans } = props;
  const [value, setValue] = React.useState(props.value);
  const { folder, isWritable, message, name, to } = value;
  const change = (fields: Partial<ICreateAnswer>): void =>
    setValue({ ...value, ...fields });
  React.useEffect(() => onChange(value), [onChange, value]);
  return (
    <>
      <Problem text={error} />
      <Field
        label={trans.__('Name')}
        className="jp-DotscienceDatasetForm-name"
        type="text"
        maxLength={64}
        value={name}
        onText={text => change({ name: text })}
      />
      <Field
        label={trans.__('Folder')}
        type="text"
        placeholder={trans.__('a new, empty one')}
        value={folder}
        onText={text => change({ folder: text })}
      />
      <p className="jp-DotscienceForm-hint">
        {trans.__(
          'A folder inside of a workspace is copied, and stays as it is. One outside of all workspaces becomes the dataset itself.'
        )}
      </p>
      <Field
        label={trans.__('What the first version is')}
        type="text"
        value={message}
        onText={text => change({ message: text })}
      />
      <Place
        name={name}
        to={to}
        isWritable={isWritable}
        onPath={text => change({ to: text })}
        onWritable={checked => change({ isWritable: checked })}
        trans={trans}
      />
    </>
  );
}

/** Where a dataset is to appear, and whether it can be changed there. */
function Place(props: {
  name: string;
  to: string;
  isWritable: boolean;
  onPath: (text: string) => void;
  onWritable: (checked: boolean) => void;
  trans: TranslationBundle;
}): React.ReactElement {
  const { isWritable, name, onPath, onWritable, to, trans } = props;
  return (
    <>
      <Field
        label={trans.__('Path in the workspace')}
        type="text"
        placeholder={name ? `${FOLDER}/${name}` : FOLDER}
        value={to}
        onText={onPath}
      />
      <label className="jp-DotscienceForm-choice">
        <input
          type="checkbox"
          checked={isWritable}
          onChange={event => onWritable(event.target.checked)}
        />
        {trans.__('Writable: runs change it, and make new versions')}
      </label>
    </>
  );
}

/** The name of a dataset of a hub, without its owner. */
function lastPart(items: readonly HubProject[], project: string): string {
  const name = items.find(each => each.project === project)?.name ?? '';
  return name.slice(name.lastIndexOf('/') + 1);
}
