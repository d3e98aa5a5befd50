//! The keys of secrets that are stored: of the configuration, of a command, or of the installation's own secret.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, bail};
use mint_context::secrets::Keys;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{io::AsyncReadExt as _, process::Command, time::timeout};

use crate::{config::Config, key::InstallationKey};

/// Longest time for the command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes that it may write.
const COMMAND_BYTES_MAX: u64 = 16 << 10;

type Key = [u8; 32];

/// Reads them. Where the command fails, the server goes on without a present key, and says so.
///
/// # Errors
/// What is wrong with the configuration.
pub async fn keys(config: &Config) -> anyhow::Result<Keys> {
    let secrets = &config.secrets;
    let derived = InstallationKey::open(&config.key_path())?.derive("mint 2026-11-22 secrets at rest");
    let mut earlier = secrets.earlier_keys.iter().map(|key| parsed("secrets.earlierKeys", key)).collect::<Result<Vec<_>, _>>()?;
    let current = match (&secrets.key, secrets.key_command.as_slice()) {
        (Some(_), [_, ..]) => bail!("secrets.key and secrets.keyCommand: say one of them"),
        (Some(key), []) => Some(parsed("secrets.key", key)?),
        (None, []) => return Ok(Keys::new(Some(&derived), &earlier)?),
        (None, [program, arguments @ ..]) => match timeout(COMMAND_TIMEOUT, asked(program, arguments)).await {
            Ok(Ok((current, more))) => {
                earlier.extend(more);
                Some(current)
            }
            failed => {
                let error = failed.unwrap_or_else(|_| Err(anyhow::anyhow!("it took longer than {COMMAND_TIMEOUT:?}")));
                let error = error.err().map(|error| format!("{error:#}"));
                tracing::error!(error, "secrets.keyCommand gave no key: secrets are not sealed, and open with earlier keys only");
                None
            }
        },
    };
    // What was sealed before a key was configured.
    earlier.push(derived);
    Ok(Keys::new(current.as_ref(), &earlier)?)
}

/// What the command writes: the present key, and earlier ones.
#[expect(clippy::disallowed_methods, reason = "the operator's own command, which gets the server's environment")]
async fn asked(program: &str, arguments: &[String]) -> anyhow::Result<(Key, Vec<Key>)> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().with_context(|| format!("`{program}` cannot be started"))?;
    let stdout = child.stdout.take().context("its output cannot be read")?;
    let mut text = String::new();
    stdout.take(COMMAND_BYTES_MAX).read_to_string(&mut text).await.context("its output cannot be read")?;
    let text = SecretString::from(text);
    let status = child.wait().await?;
    if !status.success() {
        bail!("`{program}` ended with {status}");
    }
    let lines = text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty());
    let keys = lines.map(|line| parsed("its output", &line.into())).collect::<Result<Vec<_>, _>>()?;
    let (current, earlier) = keys.split_first().with_context(|| format!("`{program}` wrote nothing"))?;
    Ok((*current, earlier.to_vec()))
}

fn parsed(name: &str, text: &SecretString) -> anyhow::Result<Key> {
    let digits = blake3::Hash::from_hex(text.expose_secret().trim());
    // What stands there stays unsaid.
    Ok(*digits
        .map_err(|_| anyhow::anyhow!("{name}: a key has 64 hexadecimal digits, such as `openssl rand -hex 32` writes"))?
        .as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const FIRST: &str = "1111111111111111111111111111111111111111111111111111111111111111";
    const SECOND: &str = "2222222222222222222222222222222222222222222222222222222222222222";

    async fn read(variables: &[(&str, &str)]) -> anyhow::Result<Keys> {
        let directory = tempfile::tempdir()?;
        let mut environment: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| (format!("MINT_SECRETS__{name}"), (*value).to_owned())).collect();
        environment.insert("MINT_SERVER__DATA_PATH".to_owned(), directory.path().display().to_string());
        keys(&Config::parse("{}", &environment)?).await
    }

    #[tokio::test]
    async fn keys_come_from_the_configuration_a_command_or_the_installation() {
        let of = async |variables: &[(&str, &str)]| {
            let keys = read(variables).await.unwrap();
            (keys.current().map(str::to_owned), keys.ids().count())
        };
        let (first, _) = of(&[("KEY", FIRST)]).await;
        assert_eq!(of(&[("KEY", FIRST), ("EARLIER_KEYS", SECOND)]).await, (first.clone(), 3));
        let printed = format!("printf,%s\\n%s\\n,{FIRST},{SECOND}");
        assert_eq!(of(&[("KEY_COMMAND", &printed)]).await, (first.clone(), 3));
        let (own, count) = of(&[]).await;
        assert!(own.is_some() && own != first && count == 1);
        for failing in ["false", "/no/such/program", "echo,short", "true"] {
            assert_eq!(of(&[("KEY_COMMAND", failing), ("EARLIER_KEYS", SECOND)]).await, (None, 2), "{failing}");
        }
    }

    #[tokio::test]
    async fn a_key_that_is_none_is_told_without_being_shown() {
        let error = read(&[("KEY", "my secret")]).await.unwrap_err().to_string();
        assert!(error.starts_with("secrets.key: a key has 64 hexadecimal digits") && !error.contains("my secret"), "{error}");
        let error = read(&[("KEY", FIRST), ("KEY_COMMAND", "true")]).await.unwrap_err().to_string();
        assert_eq!(error, "secrets.key and secrets.keyCommand: say one of them");
    }
}
