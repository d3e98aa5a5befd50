use super::*;

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_environment_beats_the_file_beats_the_default() {
    let file = r#"{"server": {"listen": "127.0.0.1:1", "dataPath": "/a"}, "plugins": {"uv": {"offline": true}}}"#;
    let variables = [("MINT_SERVER__DATA_PATH", "/b"), ("MINT_PLUGINS__FORCE_ISOLATED", "x, y"), ("MINT_PLUGIN_X__KEY", "v")];
    let config = Config::parse(file, &environment(&variables)).unwrap();
    assert_eq!(config.server.listen.port(), 1);
    assert_eq!(config.server.data_path, PathBuf::from("/b"));
    assert!(config.plugins.uv.offline);
    assert_eq!(config.forced().len(), 2);
    assert_eq!(config.plugin_environment.len(), 1);
    assert_eq!(config.database_url(), "sqlite:/b/mint.sqlite");
}

#[test]
fn every_mistake_is_told() {
    let file = r#"{"server": {"lisen": "x", "listen": 5}, "databse": {}, "logging": 1}"#;
    let mistakes =
        Config::parse(file, &environment(&[("MINT_SERVER__LISEN", "x"), ("MINT_PLUGINS__UV__OFFLINE", "maybe")])).unwrap_err();
    assert_eq!(mistakes.0.len(), 6, "{mistakes}");
}

#[test]
fn a_plugin_is_forced_one_way_at_most() {
    let file = r#"{"plugins": {"forceShared": ["a", "b"]}}"#;
    let mistakes = Config::parse(file, &environment(&[("MINT_PLUGINS__FORCE_ISOLATED", "b,c")])).unwrap_err();
    assert_eq!(mistakes.0, ["plugins.forceShared and plugins.forceIsolated: both name `b`"]);
}

#[test]
fn experiments_are_open_unless_they_are_restricted() {
    let mode = |file: &str, variables: &[(&str, &str)]| {
        Config::parse(file, &environment(variables)).map(|config| config.access.experiment_visibility_mode)
    };
    let restricted = r#"{"access": {"experimentVisibilityMode": "restricted"}}"#;
    let variable = "MINT_ACCESS__EXPERIMENT_VISIBILITY_MODE";
    assert_eq!(mode("{}", &[]).unwrap(), Visibility::Open);
    assert_eq!(mode(restricted, &[]).unwrap(), Visibility::Restricted);
    assert_eq!(mode(restricted, &[(variable, "open")]).unwrap(), Visibility::Open);
    let mistakes = mode("{}", &[(variable, "closed")]).unwrap_err();
    assert_eq!(
        mistakes.0,
        [format!("access.experimentVisibilityMode ({variable}): unknown variant `closed`, expected `open` or `restricted`")]
    );
}

#[test]
fn every_name_has_one_variable_and_is_read() {
    for (name, kind, _) in NAMES {
        let text = match kind {
            Kind::Bool => "true",
            Kind::Number => "7",
            Kind::List if *name == "plugins.sandbox.require" => "files, network",
            Kind::Text if *name == "plugins.sandbox.users" => "200000-265535",
            Kind::List if *name == "server.trustedProxyCidrs" => "10.0.0.0/8, ::1/128",
            Kind::List => "a,b",
            Kind::Text if *name == "server.listen" => "127.0.0.1:9",
            Kind::Text if *name == "logging.format" => "json",
            Kind::Text if *name == "plugins.resetPath" => "memset",
            Kind::Text if *name == "server.externalUrl" => "https://x",
            Kind::Text if *name == "access.experimentVisibilityMode" => "restricted",
            Kind::Text => "x",
            Kind::Object => "{}",
        };
        let variable = variable_of(name);
        assert!(Config::parse("{}", &environment(&[(&variable, text)])).is_ok(), "{variable}");
    }
}
