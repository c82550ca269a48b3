//! `wayfare user`: who may log in to `wayfare serve`.

use std::io::Read as _;
use std::path::Path;

use wayfare_engine::access::{User, check_name};
use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::auth::scram::Verifier;

use super::args::{PasswordArgs, UserCommand};
use super::error::CliError;
use super::output;

/// Where a password may stand instead of being typed.
const PASSWORD_VARIABLE: &str = "WAYFARE_PASSWORD";
/// Shortest password.
const MIN_PASSWORD_CHARS: usize = 8;

/// Runs the command on the store of `config`.
pub async fn run(config: EngineConfig, command: UserCommand) -> Result<(), CliError> {
    let engine = Engine::open(config).await?;
    let store = engine.store();
    match command {
        UserCommand::Add { name, role, password } => {
            check_name(&name).map_err(CliError::Other)?;
            if store.access_list().await?.user(&name).is_some() {
                return Err(exists(&name));
            }
            let verifier = verifier(&password)?;
            store
                .change_access_list(|list| {
                    if list.user(&name).is_some() {
                        return Err(exists(&name));
                    }
                    list.put(User { name: name.clone(), role, verifier: verifier.clone() });
                    Ok(())
                })
                .await?;
            output::print(&format!("added user {name}, role {role}\n"))
        }
        UserCommand::Password { name, password } => {
            if store.access_list().await?.user(&name).is_none() {
                return Err(missing(&name));
            }
            let verifier = verifier(&password)?;
            store
                .change_access_list(|list| {
                    let mut user = list.user(&name).cloned().ok_or_else(|| missing(&name))?;
                    user.verifier.clone_from(&verifier);
                    list.put(user);
                    Ok::<(), CliError>(())
                })
                .await?;
            output::print(&format!("changed the password of user {name}\n"))
        }
        UserCommand::Remove { name } => {
            store
                .change_access_list(|list| match list.remove(&name) {
                    Some(_) => Ok(()),
                    None => Err(missing(&name)),
                })
                .await?;
            output::print(&format!("removed user {name}; sessions that are open stay until they end\n"))
        }
        UserCommand::List => {
            let list = store.access_list().await?;
            let lines: String =
                list.users().map(|user| format!("{:<7} {}\n", user.role, user.name)).collect();
            output::print(if lines.is_empty() { "no users\n" } else { &lines })
        }
    }
}

fn exists(name: &str) -> CliError {
    CliError::Other(format!("user {name:?} exists: `wayfare user password` changes the password"))
}

fn missing(name: &str) -> CliError {
    CliError::Other(format!("there is no user {name:?}: `wayfare user list` shows those there are"))
}

fn verifier(args: &PasswordArgs) -> Result<String, CliError> {
    let password = password(args.password_file.as_deref())?;
    if password.chars().count() < MIN_PASSWORD_CHARS {
        return Err(CliError::Other(format!(
            "the password must have {MIN_PASSWORD_CHARS} characters or more"
        )));
    }
    let verifier = Verifier::of_password(&password).map_err(|e| CliError::Other(e.to_string()))?;
    Ok(verifier.to_string())
}

/// The password from the file, else from the environment, else from the terminal.
fn password(file: Option<&Path>) -> Result<String, CliError> {
    if let Some(path) = file {
        return from_file(path);
    }
    if let Ok(password) = std::env::var(PASSWORD_VARIABLE) {
        return Ok(password);
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt).map_err(|e| {
            CliError::Other(format!(
                "cannot ask for a password ({e}): use --password-file, or the variable {PASSWORD_VARIABLE}"
            ))
        })
    };
    let first = ask("Password: ")?;
    if ask("Again: ")? != first {
        return Err(CliError::Other("the passwords differ".to_owned()));
    }
    Ok(first)
}

fn from_file(path: &Path) -> Result<String, CliError> {
    let place = path.display().to_string();
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(path).map(|content| text = content)
    };
    read.map_err(|e| CliError::io("read the password from", place, e))?;
    // The end of the line is the editor's.
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(line.to_owned())
}
