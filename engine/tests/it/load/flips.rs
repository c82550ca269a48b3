//! Bits that flip and ends that are missing, anywhere in a file of any format: rows come out whole or rejected, or the
//! file is refused by name. Never a panic, never more memory than the reader's limits.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression as Codec, GzipLevel, ZstdLevel};
use wayfare_engine::load::read::{Compression, InputFormat, ReadOptions, SourceFile, open};

use super::samples::{
    COMPRESSIONS, avro, avro_block, avro_container, compressed, csv, json_array, ndjson, parquet,
};

/// Damaged files of each kind, if set.
const ROUNDS_VARIABLE: &str = "WAYFARE_FLIP_ROUNDS";
const DEFAULT_ROUNDS: u64 = 60;

/// Numbers that look random and are the same every time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

fn kinds() -> Vec<(String, InputFormat, Vec<u8>)> {
    let deflated = {
        use std::io::Write;
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&avro_block(200)).expect("deflate");
        encoder.finish().expect("deflate")
    };
    let mut kinds = vec![
        ("x.csv".to_owned(), InputFormat::Csv, csv(200)),
        ("x.ndjson".to_owned(), InputFormat::Ndjson, ndjson(200)),
        ("x.json".to_owned(), InputFormat::Ndjson, json_array(200)),
        ("x.avro".to_owned(), InputFormat::Avro, avro(200)),
        ("deflated.avro".to_owned(), InputFormat::Avro, avro_container("deflate", 200, &deflated)),
    ];
    for codec in [
        Codec::UNCOMPRESSED,
        Codec::SNAPPY,
        Codec::GZIP(GzipLevel::default()),
        Codec::ZSTD(ZstdLevel::default()),
        Codec::LZ4_RAW,
    ] {
        kinds.push((format!("{codec}.parquet"), InputFormat::Parquet, parquet(200, codec)));
    }
    for extension in COMPRESSIONS {
        kinds.push((format!("x.csv.{extension}"), InputFormat::Csv, compressed(extension, &csv(200))));
    }
    kinds
}

/// Reads the file to its end or its error; gives whether it was read.
fn read(path: &Path, name: &str, format: InputFormat, size: u64, options: &Arc<ReadOptions>) -> bool {
    let compression = match name.rsplit('.').next() {
        Some("gz") => Compression::Gzip,
        Some("zst") => Compression::Zstd,
        Some("bz2") => Compression::Bzip2,
        Some("xz") => Compression::Xz,
        Some("sz") => Compression::Snappy,
        _ => Compression::None,
    };
    let file = SourceFile::local(name.to_owned(), path.to_owned(), size, format, compression);
    let mut last = 0;
    let read = open(&file, options, &[]).and_then(|reader| {
        for batch in reader {
            let batch = batch?;
            let rows = batch.batch.num_rows() as u64 + batch.rejected.len() as u64;
            assert_eq!(batch.rows_read, rows, "{name}");
            for rejected in &batch.rejected {
                assert!(rejected.place.number() > last, "{name}: rows come in order");
                last = rejected.place.number();
                assert_eq!(&*rejected.file, name);
            }
        }
        Ok(())
    });
    match read {
        Ok(()) => true,
        Err(error) => {
            let told = error.to_string();
            assert!(told.contains(name) && !told.contains("unwrap"), "{name}: {told}");
            false
        }
    }
}

#[test]
fn damage_anywhere_is_told_or_harmless() {
    let rounds =
        std::env::var(ROUNDS_VARIABLE).map_or(DEFAULT_ROUNDS, |text| text.parse().expect("a number"));
    // What the decoder of Parquet says when it gives up is caught, and is no news here.
    let (told, this) = (std::panic::take_hook(), std::thread::current().id());
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() != this {
            told(info);
        }
    }));
    let options = Arc::new(ReadOptions::default());
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("damaged");
    let mut refused = 0;
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for (kind, (name, format, whole)) in kinds().into_iter().enumerate() {
            std::fs::write(&path, &whole).expect("a file");
            assert!(
                read(&path, &name, format, whole.len() as u64, &options),
                "{name}: the whole file is sound"
            );
            for round in 0..rounds {
                let mut numbers = Numbers((kind as u64) << 32 | round);
                let mut bytes = whole.clone();
                if round % 3 == 0 {
                    bytes.truncate(numbers.below(whole.len()));
                } else {
                    for _ in 0..=numbers.below(3) {
                        let at = numbers.below(bytes.len());
                        bytes[at] ^= 1 << numbers.below(8);
                    }
                }
                std::fs::write(&path, &bytes).expect("a file");
                refused += u64::from(!read(&path, &name, format, bytes.len() as u64, &options));
            }
        }
    }));
    drop(std::panic::take_hook());
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
    assert!(refused > rounds, "files that were refused: {refused}");
}
