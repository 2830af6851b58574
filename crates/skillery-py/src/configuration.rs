//! Which registry, from where: the file of the home and the environment.

use pyo3::prelude::*;
use skillery_client::config::{parse_org, parse_timeout, parse_token, parse_url};
use skillery_client::{Config, ConfigLayer, Error, Home, Keys, Secret};

use crate::failure;

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(load_configuration, module)?)?;
    module.add_function(wrap_pyfunction!(save_configuration, module)?)?;
    module.add_function(wrap_pyfunction!(add_signing_secret, module)?)
}

/// URL, token, org, whether to verify, and seconds.
type Settings = (String, Option<String>, Option<String>, bool, f64);

/// What file and environment say.
#[pyfunction]
fn load_configuration(py: Python<'_>) -> PyResult<Settings> {
    let load = || Ok(settings(&Config::load(&Home::locate()?)?));
    load().map_err(|error: Error| failure::raise(py, &error))
}

/// Changes the file. What is `None` stays; an empty token or org is removed. Answers with URL, token and org as
/// they were kept.
#[pyfunction]
#[pyo3(signature = (url=None, token=None, org=None, verify_signature=None, timeout=None))]
fn save_configuration(
    py: Python<'_>,
    url: Option<&str>,
    token: Option<&str>,
    org: Option<&str>,
    verify_signature: Option<bool>,
    timeout: Option<f64>,
) -> PyResult<(Option<String>, Option<String>, Option<String>)> {
    let save = || {
        let given =
            |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let layer = ConfigLayer {
            url: given(url).map(|url| parse_url(&url, "`url`")).transpose()?,
            token: given(token).map(|token| parse_token(&token, "`token`")).transpose()?,
            org: given(org).map(|org| parse_org(&org, "`org`")).transpose()?,
            verify_signature,
            timeout: timeout.map(|seconds| parse_timeout(seconds, "`timeout`")).transpose()?,
            ..ConfigLayer::default()
        };
        let kept = (
            layer.url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
            layer.token.as_ref().map(|token| token.expose().to_owned()),
            layer.org.as_ref().map(ToString::to_string),
        );
        ConfigLayer::update(&Home::locate()?, |file| {
            if token.is_some() {
                file.token = None;
            }
            if org.is_some() {
                file.org = None;
            }
            file.merge(layer);
        })?;
        Ok(kept)
    };
    save().map_err(|error: Error| failure::raise(py, &error))
}

/// Keeps an org's signing secret, to verify what the org signed.
#[pyfunction]
fn add_signing_secret(py: Python<'_>, registry: &str, org: &str, secret: &str) -> PyResult<()> {
    let add = || -> Result<(), Error> {
        let registry = parse_url(registry, "`url`")?;
        let org = parse_org(org, "`org`")?;
        Keys::add(&Home::locate()?, registry.as_str().trim_end_matches('/'), org.org(), &Secret::new(secret))
    };
    add().map_err(|error| failure::raise(py, &error))
}

fn settings(config: &Config) -> Settings {
    (
        config.url.as_str().trim_end_matches('/').to_owned(),
        config.token.as_ref().map(|token| token.expose().to_owned()),
        config.org.as_ref().map(ToString::to_string),
        config.verify_signature,
        config.timeout.as_secs_f64(),
    )
}
