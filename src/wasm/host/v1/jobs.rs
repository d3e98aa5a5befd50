//! `mint:platform/jobs`.

use mint_context::{Page, jobs};
use mint_domain::{JobId, JobStatus};

use super::convert::{Answer, answer, document, timestamp};
use crate::{
    bindings::mint::platform::{
        jobs::{Host, Job, Options, Status},
        types,
    },
    store::State,
};

impl From<jobs::Job> for Job {
    fn from(job: jobs::Job) -> Self {
        Self {
            id: job.id,
            kind: job.kind,
            key: job.key,
            status: match job.status {
                JobStatus::Queued => Status::Queued,
                JobStatus::Running => Status::Running,
                JobStatus::Completed => Status::Completed,
                JobStatus::Failed => Status::Failed,
                JobStatus::Cancelled => Status::Cancelled,
            },
            attempt: job.attempt,
            is_cancelled: job.is_cancelled,
            percent: job.percent,
            message: job.message,
            outcome: job.outcome.map(|outcome| outcome.to_string()),
            error: job.error,
            user_id: job.user_id,
            created_at: timestamp(job.created_at),
            run_at: timestamp(job.run_at),
            started_at: job.started_at.map(timestamp),
            ended_at: job.ended_at.map(timestamp),
        }
    }
}

impl Host for State {
    async fn enqueue(&mut self, kind: String, payload: types::Json, options: Options) -> Answer<Job> {
        let Options { key, delay_seconds, retries, heartbeat_seconds } = options;
        let enqueued = async {
            let payload = document("payload", &payload)?;
            let wanted = jobs::Wanted { kind, payload, key, delay_seconds, retries, heartbeat_seconds };
            jobs::enqueue(&self.call, &wanted).await
        };
        let enqueued = enqueued.await;
        answer(&self.call, enqueued.map(Into::into))
    }

    async fn get(&mut self, id: types::Id) -> Answer<Job> {
        answer(&self.call, jobs::get(&self.call, JobId(id)).await.map(Into::into))
    }

    async fn list(&mut self, page: types::Page) -> Answer<Vec<Job>> {
        let found = jobs::list(&self.call, None, None, Page::new(page.skip, page.limit)).await;
        answer(&self.call, found.map(|jobs| jobs.into_iter().map(Into::into).collect()))
    }

    async fn cancel(&mut self, id: types::Id) -> Answer<bool> {
        answer(&self.call, jobs::cancel(&self.call, JobId(id)).await)
    }

    fn current(&mut self) -> wasmtime::Result<Option<types::Id>> {
        Ok(self.call.job.as_ref().map(|job| job.id.0))
    }

    fn progress(&mut self, percent: Option<u32>, message: Option<String>) -> Answer<()> {
        let told = jobs::progress(&self.call, percent, message.as_deref());
        answer(&self.call, told.map(drop).map_err(Into::into))
    }

    fn heartbeat(&mut self) -> Answer<()> {
        answer(&self.call, jobs::progress(&self.call, None, None).map(drop).map_err(Into::into))
    }

    fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.call.job.as_ref().is_some_and(|job| job.is_cancelled()))
    }
}
