// Copyright (c) dotscience-jupyter contributors.
// Distributed under the terms of the BSD 3-Clause License.

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { HubLogin, HubProject } from '../api/schema';
import { Field, Problem, ask } from '../form';
import { isExposed } from './words';

/** What an address looks like. */
const EXAMPLE = 'https://hub.example.org';

/**
 * What somebody says about who they are on a hub.
 */
export interface ILoginAnswer {
  /** The hub's address. */
  url: string;

  /** Their name; `''` with a key. */
  user: string;

  /** Their password; `''` with a key, or when they go on as who they are already. */
  password: string;

  /** An API key in place of both. */
  key: string;
}

/**
 * Which project somebody chose.
 */
export interface IProjectAnswer {
  /** The id of one that is there; `''` for a new one. */
  project: string;

  /** The name of a new one. */
  name: string;
}

/**
 * Ask which hub, and who the user is there.
 *
 * @param options.known - The hubs on which the user is logged in
 * @param options.url - The address to begin with
 * @param options.user - The name to begin with
 * @param options.isFixed - Whether the address may not be changed
 * @param options.error - Why the last answer would not do
 * @returns The answer, or null if the user did not want to
 */
export async function askLogin(options: {
  known: readonly HubLogin[];
  url: string;
  user: string;
  isFixed: boolean;
  error: string;
  trans: TranslationBundle;
}): Promise<ILoginAnswer | null> {
  const { isFixed, trans, url, user } = options;
  return ask(
    { url, user, password: '', key: '' },
    onChange => <LoginFields {...options} onChange={onChange} />,
    {
      title: isFixed
        ? trans.__('Log In on the Hub')
        : trans.__('Connect to a Hub'),
      accept: trans.__('Log In'),
      focus: url ? '.jp-DotscienceForm-user' : '.jp-DotscienceForm-url',
      trans
    }
  );
}

/**
 * Ask which project, or what a new one is to be called.
 *
 * @param options.login - The hub, and who the user is there
 * @param options.projects - What is there
 * @param options.name - What a new one is called unless the user says otherwise
 * @param options.error - Why the last answer would not do
 * @returns The answer, or null if the user did not want to
 */
export async function askProject(options: {
  login: HubLogin;
  projects: readonly HubProject[];
  name: string;
  error: string;
  trans: TranslationBundle;
}): Promise<IProjectAnswer | null> {
  const { login, name, trans } = options;
  const value = { project: ownProject(options)?.project ?? '', name };
  return ask(
    value,
    onChange => (
      <ProjectFields {...options} value={value} onChange={onChange} />
    ),
    {
      title: trans.__('Choose the Project on %1', login.url),
      accept: trans.__('Connect'),
      focus: '.jp-DotscienceForm-project',
      trans
    }
  );
}

type LoginProps = Parameters<typeof askLogin>[0];
type ProjectProps = Parameters<typeof askProject>[0];

function LoginFields(
  props: LoginProps & { onChange: (value: ILoginAnswer) => void }
): React.ReactElement {
  const { error, isFixed, known, onChange, trans } = props;
  const [url, setUrl] = React.useState(props.url);
  const [user, setUser] = React.useState(props.user);
  const [password, setPassword] = React.useState('');
  const [key, setKey] = React.useState('');
  const [withKey, setWithKey] = React.useState(false);
  const id = React.useId();
  React.useEffect(() => {
    onChange(
      withKey
        ? { url, user: '', password: '', key }
        : { url, user, password, key: '' }
    );
  }, [onChange, url, user, password, key, withKey]);
  const login = isFixed ? undefined : loginFor(known, url);
  return (
    <>
      <Problem text={error} />
      <Field
        label={trans.__('Address of the hub')}
        className="jp-DotscienceForm-url"
        type="url"
        list={id}
        placeholder={EXAMPLE}
        value={url}
        readOnly={isFixed}
        onText={setUrl}
      />
      <datalist id={id}>
        {known.map(each => (
          <option key={each.url} value={each.url} />
        ))}
      </datalist>
      {isExposed(url) && (
        <p className="jp-DotscienceForm-warning" role="note">
          {trans.__(
            'This address is not encrypted (http): who listens on the way learns your password and your key.'
          )}
        </p>
      )}
      {login && (
        <p role="note">
          {trans.__(
            'You are logged in there as %1. Leave the rest empty to go on.',
            login.user
          )}
        </p>
      )}
      {withKey ? (
        <Field
          label={trans.__('API key')}
          className="jp-DotscienceForm-user"
          type="password"
          autoComplete="off"
          value={key}
          onText={setKey}
        />
      ) : (
        <>
          <Field
            label={trans.__('User')}
            className="jp-DotscienceForm-user"
            type="text"
            autoComplete="username"
            value={user}
            onText={setUser}
          />
          <Field
            label={trans.__('Password')}
            type="password"
            autoComplete="off"
            value={password}
            onText={setPassword}
          />
        </>
      )}
      <label className="jp-DotscienceForm-choice">
        <input
          type="checkbox"
          checked={withKey}
          onChange={event => setWithKey(event.target.checked)}
        />
        {trans.__('Log in with an API key')}
      </label>
      <p className="jp-DotscienceForm-hint">
        {trans.__(
          'The password is exchanged for an API key, which is kept in your Jupyter configuration, where only you can read it. The password is kept nowhere.'
        )}
      </p>
    </>
  );
}

function ProjectFields(
  props: ProjectProps & {
    value: IProjectAnswer;
    onChange: (value: IProjectAnswer) => void;
  }
): React.ReactElement {
  const { error, onChange, projects, trans } = props;
  const [project, setProject] = React.useState(props.value.project);
  const [name, setName] = React.useState(props.value.name);
  React.useEffect(() => {
    onChange({ project, name });
  }, [onChange, project, name]);
  return (
    <>
      <Problem text={error} />
      <label>
        {trans.__('Project')}
        <select
          className="jp-mod-styled jp-DotscienceForm-project"
          value={project}
          onChange={event => setProject(event.target.value)}
        >
          <option value="">{trans.__('A new project')}</option>
          {projects.map(each => (
            <option key={each.project} value={each.project}>
              {each.name}
            </option>
          ))}
        </select>
      </label>
      {project === '' && (
        <Field
          label={trans.__('Name of the new project')}
          type="text"
          maxLength={100}
          value={name}
          onText={setName}
        />
      )}
      <p className="jp-DotscienceForm-hint">
        {trans.__(
          'Every commit of this workspace is sent there from now on, with its files and runs. Ignored files stay here.'
        )}
      </p>
    </>
  );
}

/**
 * The login that an address means.
 *
 * @param known - The hubs on which the user is logged in
 * @param url - The address, as somebody types it
 */
export function loginFor(
  known: readonly HubLogin[],
  url: string
): HubLogin | undefined {
  const wanted = url.trim().replace(/\/+$/, '');
  return known.find(each => each.url === wanted);
}

/** The user's own project that is called as a new one would be. */
function ownProject(props: {
  login: HubLogin;
  projects: readonly HubProject[];
  name: string;
}): HubProject | undefined {
  const wanted = `${props.login.user}/${props.name}`;
  return props.projects.find(each => each.name === wanted);
}
