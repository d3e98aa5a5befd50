//! Makes what can be made before a start: compiles the component, or builds the venv.

use futures_util::future::BoxFuture;

use super::Install;
use crate::operation::{Step, Stop, nothing_to_undo};

pub(super) const STEP: Step<Install> = Step { name: "stage", run, undo: nothing_to_undo };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (release, platform) = (install.release()?.clone(), install.platform.clone());
        if let Some(installation) = &mut install.installation {
            platform.obey_configuration(installation, &release).await.map_err(Stop::Failed)?;
            install.plan = Some(installation.plan());
        }
        let mode = install.plan()?.mode;
        let began = std::time::Instant::now();
        platform.runtime(mode).stage(&release, &install.grants).await.map_err(Stop::Failed)?;
        let asked = install.asked.clone();
        install.advance(|state| state.toward_start(asked)).await?;
        Ok(format!("prepared in {:.1} s", began.elapsed().as_secs_f64()))
    })
}
