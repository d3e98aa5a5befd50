//! The two ways in which components export routes.

use mint_context::Incoming;
use tokio::sync::oneshot;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::p2::bindings::exports::wasi::http::incoming_handler;

use crate::{
    bindings::exports::mint::plugin::routes,
    fault::UploadBroke,
    host::exchange::{Exchange, Head, Upload, brief},
    instance::Instance,
    limits::Reached,
    store::State,
};

/// Where a component answers requests, looked up once.
pub(crate) enum Exported {
    /// `mint:plugin/routes`.
    Plain(routes::GuestIndices),
    /// `wasi:http/incoming-handler`.
    Standard(incoming_handler::GuestIndices),
}

/// What answers the requests of one instance.
pub(crate) enum Routes {
    /// `mint:plugin/routes`.
    Plain(routes::Guest),
    /// `wasi:http/incoming-handler`.
    Standard(incoming_handler::Guest),
}

impl Exported {
    /// Those of a component, by what it `has`.
    ///
    /// # Errors
    /// When an export has not the type that its name promises.
    pub(crate) fn of(pre: &InstancePre<State>, has: impl Fn(&str) -> bool) -> wasmtime::Result<Option<Self>> {
        if has("mint:plugin/routes") {
            return routes::GuestIndices::new(pre).map(|found| Some(Self::Plain(found)));
        }
        if has("wasi:http/incoming-handler") {
            return incoming_handler::GuestIndices::new(pre).map(|found| Some(Self::Standard(found)));
        }
        Ok(None)
    }

    fn load(&self, instance: &mut Instance) -> wasmtime::Result<Routes> {
        match self {
            Self::Plain(exported) => exported.load(&mut instance.store, &instance.inner).map(Routes::Plain),
            Self::Standard(exported) => exported.load(&mut instance.store, &instance.inner).map(Routes::Standard),
        }
    }
}

/// Lets an instance answer a request. Its answer goes to `answer`, before this ends or while it goes on.
pub(crate) async fn answer(
    exported: &Exported,
    instance: &mut Instance,
    incoming: Incoming,
    upload: Upload,
    answer: oneshot::Sender<Head>,
) -> wasmtime::Result<()> {
    if instance.routes.is_none() {
        instance.routes = Some(exported.load(instance)?);
    }
    let Instance { store, routes: Some(routes), .. } = instance else { return Ok(()) };
    let answered = match routes {
        Routes::Plain(routes) => {
            let brief = brief(&incoming, &store.data().call);
            store.data_mut().exchange = Some(Exchange::new(incoming, upload.clone(), answer));
            match routes.call_handle(&mut *store, &brief).await {
                Ok(Some(response)) => match &mut store.data_mut().exchange {
                    Some(exchange) => exchange.answer(response).map_err(wasmtime::Error::new),
                    None => Ok(()),
                },
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            }
        }
        Routes::Standard(routes) => {
            let state = store.data_mut();
            state.exchange = Some(Exchange::new(incoming, upload.clone(), answer));
            match (state.take_request()?, state.take_answer()?) {
                (Some(request), Some(answer)) => routes.call_handle(&mut *store, request, answer).await,
                _ => Ok(()),
            }
        }
    };
    // With it, the way back: whoever waits for an answer learns that none comes.
    store.data_mut().exchange = None;
    answered.map_err(|error| match upload.reason() {
        Some(reason) if !error.is::<Reached>() => wasmtime::Error::new(UploadBroke(reason.to_owned())),
        Some(_) | None => error,
    })
}
