//! Makes what can be made before a start: compiles the component, or builds the venv.

use futures_util::future::BoxFuture;
use mint_domain::Mode;

use super::Install;
use crate::operation::{Step, Stop, nothing_to_undo};

pub(super) const STEP: Step<Install> = Step { name: "stage", run, undo: nothing_to_undo, would, may_be_cut: true };

fn run(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let (release, platform) = (install.release()?.clone(), install.platform.clone());
        platform.bring(&release).await.map_err(Stop::Failed)?;
        if let Some(installation) = &mut install.installation {
            platform.obey_configuration(installation, &release).await.map_err(Stop::Failed)?;
            install.plan = Some(installation.plan());
        }
        let began = std::time::Instant::now();
        let mut note = String::new();
        match prepare(install).await {
            Err(Stop::Failed(failure)) => {
                let why = failure.reason.clone();
                let fallback = install.fall_back(failure, why).await?;
                let tried = prepare(install).await;
                note = install.settle(fallback, tried).await?;
            }
            other => other?,
        }
        let asked = install.asked.clone();
        install.advance(|state| state.toward_migration(asked)).await?;
        Ok(format!("{note}prepared in {:.1} s", began.elapsed().as_secs_f64()))
    })
}

pub(super) fn would(install: &mut Install) -> BoxFuture<'_, Result<String, Stop>> {
    Box::pin(async move {
        let plan = install.plan()?;
        let words = match plan.mode {
            Mode::Shared if plan.findings.builds_component => "makes a component of its wheels, and compiles it",
            Mode::Shared => "compiles its component",
            Mode::Isolated => "makes what its process runs from",
        };
        Ok(format!("{words}, where that is not there already"))
    })
}

/// For the mode of the plan.
pub(super) async fn prepare(install: &Install) -> Result<(), Stop> {
    let runtime = install.platform.runtime(install.plan()?.mode);
    runtime.stage(install.release()?, &install.grants).await.map_err(Stop::Failed)
}
