//! Which files a load reads: paths, directories, patterns and URLs to a list of files in a fixed order.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use url::Url;

use super::options::{InputFormat, ReadOptions};
use crate::load::error::LoadError;

/// Compression around a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// None.
    None,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
    /// `.bz2`
    Bzip2,
    /// `.xz`
    Xz,
    /// `.sz`: Snappy in its framing format
    Snappy,
}

impl Compression {
    /// The name for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Snappy => "snappy",
        }
    }
}

/// Where the bytes of a file are.
#[derive(Clone)]
pub enum Origin {
    /// In the local file system, read without an object store in between.
    Local(PathBuf),
    /// In an object store.
    Object {
        /// The store.
        store: Arc<dyn ObjectStore>,
        /// Place within the store.
        location: ObjectPath,
    },
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => f.debug_tuple("Local").field(path).finish(),
            Self::Object { location, .. } => f.debug_tuple("Object").field(location).finish(),
        }
    }
}

/// One input file, as found when the load began.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its name for messages and history: the path or URL as the user wrote it, without a password.
    pub display: String,
    /// Where its bytes are.
    pub origin: Origin,
    /// Bytes as stored.
    pub size: u64,
    /// When it was last written, if known.
    pub last_modified: Option<DateTime<Utc>>,
    /// The object store's tag of its content, if it has one.
    pub e_tag: Option<String>,
    /// How it is to be read, as an option or its name says; `None` leaves it to its content.
    pub format: Option<InputFormat>,
    /// Compression around it, as its name says; the signature of another one in its content wins.
    pub compression: Compression,
}

impl SourceFile {
    /// A local file.
    pub fn local(
        display: String,
        path: PathBuf,
        size: u64,
        format: InputFormat,
        compression: Compression,
    ) -> Self {
        Self {
            display,
            origin: Origin::Local(path),
            size,
            last_modified: None,
            e_tag: None,
            format: Some(format),
            compression,
        }
    }
}

/// Opens object stores by URL.
pub trait StoreFactory: Send + Sync {
    /// The store of `url` and the place within it.
    ///
    /// # Errors
    /// Any; told to the user together with the URL.
    fn store_for(
        &self,
        url: &Url,
    ) -> Result<(Arc<dyn ObjectStore>, ObjectPath), Box<dyn std::error::Error + Send + Sync>>;
}

/// Finds the files of a load.
///
/// Each input is a file, a directory (searched recursively), a pattern (`*`, `?`, `[...]`, `**`) or a URL. A URL of
/// an object store that ends in `/`, or that names no object but a prefix, stands for all objects below it; its
/// last part may be a pattern. Below a directory or prefix, names that begin with `.` or `_` are left out with all
/// below them. Inputs keep their order; the files of one input are sorted by name. A file found twice is read once.
///
/// # Errors
/// [`LoadError::Nothing`] for an input that names nothing; [`LoadError::Input`] for a file whose format is not known;
/// [`LoadError::Read`] if a directory or store cannot be listed.
pub async fn discover(
    inputs: &[String],
    options: &ReadOptions,
    stores: &dyn StoreFactory,
) -> Result<Vec<SourceFile>, LoadError> {
    if inputs.is_empty() {
        return Err(LoadError::Argument(
            "no input: name files, directories, patterns or URLs to load".to_owned(),
        ));
    }
    let mut files = Vec::new();
    for input in inputs {
        match parse_url(input)? {
            Some(url) => match url.to_file_path() {
                Ok(path) if url.scheme() == "file" => discover_local(input, &path, options, &mut files)?,
                _ => discover_remote(&url, options, stores, &mut files).await?,
            },
            None => discover_local(input, Path::new(input), options, &mut files)?,
        }
    }
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(identity_key(file)));
    Ok(files)
}

fn identity_key(file: &SourceFile) -> String {
    match &file.origin {
        Origin::Local(path) => {
            let canonical = path.canonicalize().unwrap_or_else(|_| path.clone());
            format!("local {}", canonical.display())
        }
        Origin::Object { store, location } => format!("{store} {location}"),
    }
}

fn parse_url(input: &str) -> Result<Option<Url>, LoadError> {
    let is_url = input
        .split_once("://")
        .is_some_and(|(scheme, _)| scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric()));
    if !is_url {
        return Ok(None);
    }
    Url::parse(input)
        .map(Some)
        .map_err(|error| LoadError::input(input, format!("it is not a valid URL ({error})")))
}

fn discover_local(
    input: &str,
    path: &Path,
    options: &ReadOptions,
    files: &mut Vec<SourceFile>,
) -> Result<(), LoadError> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            let before = files.len();
            let mut visited = HashSet::new();
            walk(path, options, &mut visited, files)?;
            if files.len() == before {
                return Err(LoadError::nothing(input, "the directory holds no files; check the path"));
            }
            Ok(())
        }
        Ok(metadata) => {
            files.push(local_file(path, &metadata, options)?);
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let pattern = path.to_string_lossy();
            if is_pattern(&pattern) {
                return discover_pattern(input, &pattern, options, files);
            }
            Err(LoadError::nothing(input, "there is no such file or directory; check the path"))
        }
        Err(error) => Err(LoadError::read(input, "at its start", error)),
    }
}

fn discover_pattern(
    input: &str,
    pattern: &str,
    options: &ReadOptions,
    files: &mut Vec<SourceFile>,
) -> Result<(), LoadError> {
    let paths = glob::glob(pattern)
        .map_err(|error| LoadError::input(input, format!("it is not a valid pattern ({})", error.msg)))?;
    let before = files.len();
    // glob gives the paths in alphabetical order.
    for path in paths {
        let path = path.map_err(|error| {
            LoadError::read(error.path().display().to_string(), "at its start", std::io::Error::from(error))
        })?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        if name.is_some_and(|n| is_skipped(&n, options)) {
            continue;
        }
        let metadata = std::fs::metadata(&path)
            .map_err(|error| LoadError::read(path.display().to_string(), "at its start", error))?;
        if metadata.is_dir() {
            // `**` gives the directories too; their files have paths of their own.
            if !pattern.contains("**") {
                walk(&path, options, &mut HashSet::new(), files)?;
            }
        } else {
            files.push(local_file(&path, &metadata, options)?);
        }
    }
    if files.len() == before {
        return Err(LoadError::nothing(
            input,
            "no file matches the pattern; check it, and quote it if the shell should not expand it",
        ));
    }
    Ok(())
}

/// Adds the files below `directory`, sorted by name.
fn walk(
    directory: &Path,
    options: &ReadOptions,
    visited: &mut HashSet<PathBuf>,
    files: &mut Vec<SourceFile>,
) -> Result<(), LoadError> {
    let failed =
        |error: std::io::Error| LoadError::read(directory.display().to_string(), "as a directory", error);
    // A link to a directory above would never end.
    if !visited.insert(directory.canonicalize().map_err(failed)?) {
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        entries.push(entry.map_err(failed)?.file_name());
    }
    entries.sort();
    for name in entries {
        if is_skipped(&name.to_string_lossy(), options) {
            continue;
        }
        let path = directory.join(&name);
        let metadata = std::fs::metadata(&path)
            .map_err(|error| LoadError::read(path.display().to_string(), "at its start", error))?;
        if metadata.is_dir() {
            walk(&path, options, visited, files)?;
        } else {
            files.push(local_file(&path, &metadata, options)?);
        }
    }
    Ok(())
}

fn local_file(
    path: &Path,
    metadata: &std::fs::Metadata,
    options: &ReadOptions,
) -> Result<SourceFile, LoadError> {
    let display = path.display().to_string();
    if !metadata.is_file() {
        return Err(LoadError::input(
            display,
            "it is neither a file nor a directory; write its content to a file first",
        ));
    }
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let (format, compression) = named_kind(&name, options);
    Ok(SourceFile {
        display,
        origin: Origin::Local(path.to_path_buf()),
        size: metadata.len(),
        last_modified: metadata.modified().ok().map(DateTime::<Utc>::from),
        e_tag: None,
        format,
        compression,
    })
}

async fn discover_remote(
    url: &Url,
    options: &ReadOptions,
    stores: &dyn StoreFactory,
    files: &mut Vec<SourceFile>,
) -> Result<(), LoadError> {
    let display = without_password(url);
    let (store, location) =
        stores.store_for(url).map_err(|error| LoadError::read(&display, "at its start", error))?;
    let listed = |error: object_store::Error| LoadError::read(&display, "as a list of objects", error);
    let root = root_of(url);
    let full_path = percent_decoded(url);
    let mut metas: Vec<ObjectMeta>;
    let prefix;
    if !is_http(url) && is_pattern(&full_path) {
        let pattern_path = full_path.trim_start_matches('/');
        let fixed = pattern_path.find(['*', '?', '[']).unwrap_or(pattern_path.len());
        let fixed = pattern_path[..fixed].rfind('/').map_or("", |slash| &pattern_path[..slash]);
        prefix = ObjectPath::from(fixed);
        let pattern = glob::Pattern::new(pattern_path).map_err(|error| {
            LoadError::input(&display, format!("it is not a valid pattern ({})", error.msg))
        })?;
        let matching = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        metas = list(&store, &prefix).await.map_err(listed)?;
        metas.retain(|meta| pattern.matches_with(meta.location.as_ref(), matching));
        if metas.is_empty() {
            return Err(LoadError::nothing(&display, "no object matches the pattern; check it"));
        }
    } else {
        if !url.path().ends_with('/') {
            match store.head(&location).await {
                Ok(meta) => {
                    let name = location.filename().unwrap_or_default().to_owned();
                    files.push(remote_file(&store, meta, display, &name, options));
                    return Ok(());
                }
                Err(object_store::Error::NotFound { .. }) if !is_http(url) => {}
                Err(object_store::Error::NotFound { .. }) => {
                    return Err(LoadError::nothing(&display, "there is no such file; check the URL"));
                }
                Err(error) => return Err(LoadError::read(&display, "at its start", error)),
            }
        }
        prefix = location;
        metas = list(&store, &prefix).await.map_err(listed)?;
        if metas.is_empty() {
            return Err(LoadError::nothing(
                &display,
                "there is no such object, and none below it; check the URL",
            ));
        }
    }
    metas.sort_by(|a, b| a.location.cmp(&b.location));
    let before = files.len();
    for meta in metas {
        let below =
            meta.location.prefix_match(&prefix).map(|parts| parts.collect::<Vec<_>>()).unwrap_or_default();
        if below.iter().any(|part| is_skipped(part.as_ref(), options)) {
            continue;
        }
        let name = meta.location.filename().unwrap_or_default().to_owned();
        let display = format!("{root}/{}", meta.location);
        files.push(remote_file(&store, meta, display, &name, options));
    }
    if files.len() == before {
        return Err(LoadError::nothing(&display, "there are only hidden objects below it; check the URL"));
    }
    Ok(())
}

async fn list(store: &Arc<dyn ObjectStore>, prefix: &ObjectPath) -> object_store::Result<Vec<ObjectMeta>> {
    store.list(Some(prefix)).try_collect().await
}

fn remote_file(
    store: &Arc<dyn ObjectStore>,
    meta: ObjectMeta,
    display: String,
    name: &str,
    options: &ReadOptions,
) -> SourceFile {
    let (format, compression) = named_kind(name, options);
    SourceFile {
        display,
        origin: Origin::Object { store: Arc::clone(store), location: meta.location },
        size: meta.size,
        last_modified: Some(meta.last_modified),
        e_tag: meta.e_tag,
        format,
        compression,
    }
}

/// Format and compression by the extensions of `name`; a given format wins.
fn named_kind(name: &str, options: &ReadOptions) -> (Option<InputFormat>, Compression) {
    let lower = name.to_ascii_lowercase();
    let (stem, compression) = match lower.rsplit_once('.') {
        Some((stem, "gz" | "gzip")) => (stem, Compression::Gzip),
        Some((stem, "zst" | "zstd")) => (stem, Compression::Zstd),
        Some((stem, "bz2")) => (stem, Compression::Bzip2),
        Some((stem, "xz")) => (stem, Compression::Xz),
        Some((stem, "sz" | "snappy")) => (stem, Compression::Snappy),
        _ => (lower.as_str(), Compression::None),
    };
    let by_name = match stem.rsplit_once('.').map(|(_, extension)| extension) {
        Some("csv" | "tsv" | "tab") => Some(InputFormat::Csv),
        Some("ndjson" | "jsonl" | "json") => Some(InputFormat::Ndjson),
        Some("parquet" | "parq" | "pq") => Some(InputFormat::Parquet),
        Some("avro") => Some(InputFormat::Avro),
        _ => None,
    };
    (options.format.or(by_name), compression)
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// Whether a name that was found, not given, holds no rows: it is hidden, or belongs to an export beside its rows.
fn is_skipped(name: &str, options: &ReadOptions) -> bool {
    is_hidden(name) || options.preset.is_some_and(|preset| preset.is_beside(name))
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// The path of a URL as written; `?` and what follows belong to the pattern, except for HTTP.
fn percent_decoded(url: &Url) -> String {
    let path = ObjectPath::from_url_path(url.path()).map(|p| p.to_string());
    let path = path.unwrap_or_else(|_| url.path().to_owned());
    match url.query() {
        Some(query) if !is_http(url) => {
            let slash = if url.path().ends_with('/') { "/" } else { "" };
            format!("{path}{slash}?{query}")
        }
        _ => path,
    }
}

/// Scheme and authority, without a password.
fn root_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

fn without_password(url: &Url) -> String {
    if url.password().is_none() && (url.query().is_none() || !is_http(url)) {
        return url.to_string();
    }
    let mut shown = url.clone();
    // Fails only for URLs that cannot have a password.
    let _ = shown.set_password(None);
    if is_http(url) {
        // Signed URLs carry their secret in the query.
        shown.set_query(None);
    }
    shown.to_string()
}

#[cfg(test)]
mod tests;
