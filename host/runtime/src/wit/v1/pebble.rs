//! `charmhost:pebble/pebble`: containers and their Pebble (ops §18).

use std::time::Duration;

use charmhost_pebble::{
    self as pebble, Client, Error, Logs, NoticeWatch, Process, Pull, Pulled, Push,
};
use wasmtime::component::Resource;

use super::bindings::pebble::{self as wit, Host};
use super::bindings::pebble_errors::{ChangeInfo, PebbleError};
use super::pebble_errors::{change_info, error, full, path_failure};
use super::pebble_values::{
    check_info, command_of, duration, file_info, file_options, identity, level, named_identity,
    notice_filter, notice_info, service_info, warning_info,
};
use crate::state::State;
use crate::streams::{Command, FileReader, FileWriter, LogReader, NoticeReader};

impl State {
    fn container(&mut self, name: &str) -> Result<Client, PebbleError> {
        self.charm
            .containers
            .get(name)
            .map_err(PebbleError::UnknownContainer)
    }
}

fn waiting(wait: Option<f64>) -> Result<Option<Duration>, PebbleError> {
    wait.map(|wait| duration("wait for", wait)).transpose()
}

impl Host for State {
    async fn can_connect(&mut self, container: String) -> Result<bool, PebbleError> {
        match self.container(&container)?.system_info().await {
            Ok(_) => Ok(true),
            Err(Error::NotReady { .. } | Error::Api { .. }) => Ok(false),
            Err(other) => Err(error(other)),
        }
    }

    async fn get_system_info(&mut self, container: String) -> Result<wit::SystemInfo, PebbleError> {
        let info = self.container(&container)?.system_info().await;
        let info = info.map_err(error)?;
        Ok(wit::SystemInfo {
            version: info.version,
            boot_id: info.boot_id,
        })
    }

    async fn add_layer(
        &mut self,
        container: String,
        label: String,
        layer: String,
        combine: bool,
    ) -> Result<(), PebbleError> {
        let client = self.container(&container)?;
        client
            .add_layer(&label, &layer, combine)
            .await
            .map_err(error)
    }

    async fn get_plan(&mut self, container: String) -> Result<String, PebbleError> {
        let plan = self.container(&container)?.plan().await;
        plan.map(|plan| plan.to_string()).map_err(error)
    }

    async fn services(
        &mut self,
        container: String,
        names: Vec<String>,
    ) -> Result<Vec<wit::ServiceInfo>, PebbleError> {
        let services = self.container(&container)?.services(&names).await;
        let services = services.map_err(error)?.into_iter();
        Ok(services.map(service_info).collect())
    }

    async fn checks(
        &mut self,
        container: String,
        names: Vec<String>,
        level: Option<wit::CheckLevel>,
    ) -> Result<Vec<wit::CheckInfo>, PebbleError> {
        let level = level.map(self::level);
        let client = self.container(&container)?;
        let checks = client.checks(&names, level.as_ref()).await;
        Ok(checks.map_err(error)?.into_iter().map(check_info).collect())
    }

    async fn autostart(
        &mut self,
        container: String,
        wait: Option<f64>,
    ) -> Result<String, PebbleError> {
        let client = self.container(&container)?;
        client.autostart(waiting(wait)?).await.map_err(error)
    }

    async fn replan(
        &mut self,
        container: String,
        wait: Option<f64>,
    ) -> Result<String, PebbleError> {
        let client = self.container(&container)?;
        client.replan(waiting(wait)?).await.map_err(error)
    }

    async fn start_services(
        &mut self,
        container: String,
        names: Vec<String>,
        wait: Option<f64>,
    ) -> Result<String, PebbleError> {
        let client = self.container(&container)?;
        client.start(&names, waiting(wait)?).await.map_err(error)
    }

    async fn stop_services(
        &mut self,
        container: String,
        names: Vec<String>,
        wait: Option<f64>,
    ) -> Result<String, PebbleError> {
        let client = self.container(&container)?;
        client.stop(&names, waiting(wait)?).await.map_err(error)
    }

    async fn restart_services(
        &mut self,
        container: String,
        names: Vec<String>,
        wait: Option<f64>,
    ) -> Result<String, PebbleError> {
        let client = self.container(&container)?;
        client.restart(&names, waiting(wait)?).await.map_err(error)
    }

    async fn pull(
        &mut self,
        container: String,
        path: String,
    ) -> Result<Resource<FileReader>, PebbleError> {
        let client = self.container(&container)?;
        self.open(Pull::CAPACITY, client.pull(&path)).await
    }

    async fn health(
        &mut self,
        container: String,
        names: Vec<String>,
        level: Option<wit::CheckLevel>,
    ) -> Result<bool, PebbleError> {
        let level = level.map(self::level);
        let client = self.container(&container)?;
        client.health(&names, level.as_ref()).await.map_err(error)
    }

    async fn metrics(&mut self, container: String) -> Result<String, PebbleError> {
        self.container(&container)?.metrics().await.map_err(error)
    }

    async fn send_signal(
        &mut self,
        container: String,
        signal: String,
        services: Vec<String>,
    ) -> Result<(), PebbleError> {
        let client = self.container(&container)?;
        client.send_signal(&signal, &services).await.map_err(error)
    }

    async fn start_checks(
        &mut self,
        container: String,
        names: Vec<String>,
    ) -> Result<Vec<String>, PebbleError> {
        let client = self.container(&container)?;
        client.start_checks(&names).await.map_err(error)
    }

    async fn stop_checks(
        &mut self,
        container: String,
        names: Vec<String>,
    ) -> Result<Vec<String>, PebbleError> {
        let client = self.container(&container)?;
        let stopped = client.stop_checks(&names).await.map_err(error)?;
        for check in &stopped {
            self.charm.model.log_check_stopped(check);
        }
        Ok(stopped)
    }

    async fn refresh_check(
        &mut self,
        container: String,
        name: String,
        timeout: Option<f64>,
    ) -> Result<wit::CheckRefresh, PebbleError> {
        let client = self.container(&container)?;
        let refreshed = client.refresh_check(&name, waiting(timeout)?).await;
        let pebble::CheckRefresh { info, error } = refreshed.map_err(self::error)?;
        let info = check_info(info);
        Ok(wit::CheckRefresh { info, error })
    }

    async fn changes(
        &mut self,
        container: String,
        selection: wit::ChangeSelection,
        service: Option<String>,
    ) -> Result<Vec<ChangeInfo>, PebbleError> {
        let client = self.container(&container)?;
        let selection = match selection {
            wit::ChangeSelection::All => pebble::ChangeSelection::All,
            wit::ChangeSelection::InProgress => pebble::ChangeSelection::InProgress,
            wit::ChangeSelection::Ready => pebble::ChangeSelection::Ready,
        };
        let changes = client.changes(selection, service.as_deref()).await;
        let changes = changes.map_err(error)?.into_iter();
        Ok(changes.map(change_info).collect())
    }

    async fn change(&mut self, container: String, id: String) -> Result<ChangeInfo, PebbleError> {
        let client = self.container(&container)?;
        client.change(&id).await.map(change_info).map_err(error)
    }

    async fn wait_change(
        &mut self,
        container: String,
        id: String,
        timeout: Option<f64>,
    ) -> Result<ChangeInfo, PebbleError> {
        let client = self.container(&container)?;
        let change = client.wait_change(&id, waiting(timeout)?).await;
        change.map(change_info).map_err(error)
    }

    async fn abort_change(
        &mut self,
        container: String,
        id: String,
    ) -> Result<ChangeInfo, PebbleError> {
        let client = self.container(&container)?;
        let change = client.abort_change(&id).await;
        change.map(change_info).map_err(error)
    }

    async fn notify(
        &mut self,
        container: String,
        key: String,
        data: Vec<(String, String)>,
        repeat_after: Option<f64>,
    ) -> Result<String, PebbleError> {
        let client = self.container(&container)?;
        let repeat_after = repeat_after.map(|after| duration("repeat a notice after", after));
        let data = data
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let id = client.notify(&key, data, repeat_after.transpose()?).await;
        id.map_err(error)
    }

    async fn notice(
        &mut self,
        container: String,
        id: String,
    ) -> Result<wit::NoticeInfo, PebbleError> {
        let client = self.container(&container)?;
        client.notice(&id).await.map(notice_info).map_err(error)
    }

    async fn notices(
        &mut self,
        container: String,
        filter: wit::NoticeFilter,
    ) -> Result<Vec<wit::NoticeInfo>, PebbleError> {
        let client = self.container(&container)?;
        let notices = client.notices(&notice_filter(filter)).await;
        let notices = notices.map_err(error)?.into_iter();
        Ok(notices.map(notice_info).collect())
    }

    async fn warnings(
        &mut self,
        container: String,
        all: bool,
    ) -> Result<Vec<wit::WarningInfo>, PebbleError> {
        let warnings = self.container(&container)?.warnings(all).await;
        let warnings = warnings.map_err(error)?.into_iter();
        Ok(warnings.map(warning_info).collect())
    }

    async fn acknowledge_warnings(
        &mut self,
        container: String,
        until: f64,
    ) -> Result<u32, PebbleError> {
        let client = self.container(&container)?;
        let until = pebble::Timestamp::from_seconds(until).ok_or_else(|| {
            PebbleError::InvalidInput(format!(
                "cannot acknowledge warnings up to {until}: no calendar has that time"
            ))
        })?;
        client.acknowledge_warnings(until).await.map_err(error)
    }

    async fn identities(&mut self, container: String) -> Result<Vec<wit::Identity>, PebbleError> {
        let identities = self.container(&container)?.identities().await;
        let identities = identities.map_err(error)?.into_iter();
        Ok(identities.map(identity).collect())
    }

    async fn replace_identities(
        &mut self,
        container: String,
        identities: Vec<wit::Identity>,
    ) -> Result<(), PebbleError> {
        let client = self.container(&container)?;
        let identities = identities.into_iter().map(named_identity);
        client.replace_identities(identities).await.map_err(error)
    }

    async fn remove_identities(
        &mut self,
        container: String,
        names: Vec<String>,
    ) -> Result<(), PebbleError> {
        let client = self.container(&container)?;
        client.remove_identities(&names).await.map_err(error)
    }

    async fn pull_many(
        &mut self,
        container: String,
        paths: Vec<String>,
    ) -> Result<Vec<wit::PulledFile>, PebbleError> {
        let client = self.container(&container)?;
        let reserved = self.memory.reserve(Pulled::capacity(&paths));
        let mut reserved = reserved.map_err(full)?;
        let hold = |bytes| reserved.grow(bytes).map_err(full);
        let pulled = client.pull_many(&paths, hold).await?.into_iter();
        let pulled = pulled.map(|file| wit::PulledFile {
            path: file.path,
            content: file.content.map_err(path_failure),
        });
        Ok(pulled.collect())
    }

    async fn push(
        &mut self,
        container: String,
        path: String,
        options: wit::FileOptions,
    ) -> Result<Resource<FileWriter>, PebbleError> {
        let client = self.container(&container)?;
        let options = file_options(options);
        self.open(Push::CAPACITY, client.push(&path, &options))
            .await
    }

    async fn stat(
        &mut self,
        container: String,
        path: String,
    ) -> Result<wit::FileInfo, PebbleError> {
        let client = self.container(&container)?;
        client.stat(&path).await.map(file_info).map_err(error)
    }

    async fn list_files(
        &mut self,
        container: String,
        path: String,
        pattern: Option<String>,
    ) -> Result<Vec<wit::FileInfo>, PebbleError> {
        let client = self.container(&container)?;
        let found = client.list_files(&path, pattern.as_deref()).await;
        Ok(found.map_err(error)?.into_iter().map(file_info).collect())
    }

    async fn make_dir(
        &mut self,
        container: String,
        path: String,
        options: wit::FileOptions,
    ) -> Result<(), PebbleError> {
        let client = self.container(&container)?;
        let made = client.make_dir(&path, &file_options(options)).await;
        made.map_err(error)
    }

    async fn remove_path(
        &mut self,
        container: String,
        path: String,
        recursive: bool,
    ) -> Result<(), PebbleError> {
        let client = self.container(&container)?;
        client.remove_path(&path, recursive).await.map_err(error)
    }

    async fn exec(
        &mut self,
        container: String,
        command: Vec<String>,
        options: wit::ExecOptions,
    ) -> Result<Resource<Command>, PebbleError> {
        let client = self.container(&container)?;
        let exec = command_of(command, options)?;
        let input = exec.input.as_ref().map_or(0, |input| input.len());
        self.open(Process::CAPACITY + input, client.exec(&exec))
            .await
    }

    async fn logs(
        &mut self,
        container: String,
        services: Vec<String>,
        count: Option<u32>,
        follow: bool,
    ) -> Result<Resource<LogReader>, PebbleError> {
        let client = self.container(&container)?;
        self.open(Logs::CAPACITY, client.logs(&services, count, follow))
            .await
    }

    async fn watch_notices(
        &mut self,
        container: String,
        filter: wit::NoticeFilter,
    ) -> Result<Resource<NoticeReader>, PebbleError> {
        let client = self.container(&container)?;
        let opening = client.watch_notices(notice_filter(filter));
        self.open(NoticeWatch::CAPACITY, opening).await
    }
}
