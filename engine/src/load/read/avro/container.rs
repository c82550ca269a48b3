//! The container: header, blocks, codecs. Declared sizes are checked before anything is allocated for them.

use std::io::{self, Read};

use super::super::options::MAX_BUFFER_BYTES;

const MAGIC: &[u8; 4] = b"Obj\x01";
/// Bytes of metadata in the header, at most: the schema is in it.
const MAX_HEADER_BYTES: usize = 16 << 20;
/// Bytes of a block, compressed and not, at most. Writers make blocks of 16 kB to some MB.
const MAX_BLOCK_BYTES: usize = MAX_BUFFER_BYTES;

/// Why a container cannot be read on.
#[derive(Debug)]
pub(super) enum ContainerError {
    Io(io::Error),
    Unsupported(String),
    Damaged(String),
}

type Result<T> = std::result::Result<T, ContainerError>;

impl From<io::Error> for ContainerError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[derive(Debug, Clone, Copy)]
enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstd,
    Bzip2,
    Xz,
}

/// The blocks of a container behind its header.
pub(super) struct Blocks {
    input: Box<dyn Read + Send>,
    codec: Codec,
    sync: [u8; 16],
    stored: Vec<u8>,
}

impl std::fmt::Debug for Blocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocks").field("codec", &self.codec).finish_non_exhaustive()
    }
}

impl Blocks {
    /// Reads the header; gives the text of the schema too.
    pub(super) fn open(mut input: Box<dyn Read + Send>) -> Result<(Self, Vec<u8>)> {
        let mut magic = [0; 4];
        let got = read_some(&mut input, &mut magic)?;
        if got == 0 {
            return Err(ContainerError::Unsupported("it is empty: expected an Avro file".to_owned()));
        }
        if magic[..got] != MAGIC[..got] {
            let problem = "this is not an Avro file; leave --format out, or correct it".to_owned();
            return Err(ContainerError::Unsupported(problem));
        }
        let (mut schema, mut codec) = (None, Codec::Null);
        let mut left = MAX_HEADER_BYTES;
        loop {
            let count = long(&mut input)?;
            if count == 0 {
                break;
            }
            if count < 0 {
                long(&mut input)?;
            }
            for _ in 0..count.unsigned_abs() {
                let key = metadata(&mut input, &mut left)?;
                let value = metadata(&mut input, &mut left)?;
                match key.as_slice() {
                    b"avro.schema" => schema = Some(value),
                    b"avro.codec" => codec = named_codec(&value)?,
                    _ => {}
                }
            }
        }
        let mut sync = [0; 16];
        exact(&mut input, &mut sync)?;
        let schema = schema.ok_or_else(|| ContainerError::Damaged("its header has no schema".to_owned()))?;
        Ok((Self { input, codec, sync, stored: Vec::new() }, schema))
    }

    /// Reads the next block into `block`, decompressed; gives the number of its records, `None` at the end.
    pub(super) fn next(&mut self, block: &mut Vec<u8>) -> Result<Option<u64>> {
        block.clear();
        let Some(count) = long_or_end(&mut self.input)? else { return Ok(None) };
        let size = long(&mut self.input)?;
        let wrong = |what: &str, value: i64, limit: usize| {
            ContainerError::Damaged(format!(
                "a block declares {value} {what}, more than the limit of {limit} or less than none; \
                 copy the file again, or write it with smaller blocks"
            ))
        };
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= MAX_BLOCK_BYTES)
            .ok_or_else(|| wrong("bytes", size, MAX_BLOCK_BYTES))?;
        self.stored.clear();
        let got = (&mut self.input).take(size as u64).read_to_end(&mut self.stored)?;
        if got < size {
            return Err(ends_early());
        }
        let mut sync = [0; 16];
        exact(&mut self.input, &mut sync)?;
        if sync != self.sync {
            let reason = "a block does not end where it says; copy or write the file again";
            return Err(ContainerError::Damaged(reason.to_owned()));
        }
        self.decompress(block)?;
        // A record of a schema with any field takes a byte at least.
        let most = block.len();
        let count = u64::try_from(count)
            .ok()
            .filter(|count| *count <= most as u64)
            .ok_or_else(|| wrong("records", count, most))?;
        Ok(Some(count))
    }

    fn decompress(&mut self, block: &mut Vec<u8>) -> Result<()> {
        let stored = self.stored.as_slice();
        match self.codec {
            Codec::Null => {
                std::mem::swap(block, &mut self.stored);
                Ok(())
            }
            Codec::Deflate => read_limited(flate2::read::DeflateDecoder::new(stored), block),
            Codec::Zstd => read_limited(zstd::stream::read::Decoder::with_buffer(stored)?, block),
            Codec::Bzip2 => read_limited(bzip2::read::MultiBzDecoder::new(stored), block),
            Codec::Xz => {
                let limit = 2 * MAX_BLOCK_BYTES as u64;
                let stream =
                    liblzma::stream::Stream::new_stream_decoder(limit, 0).map_err(io::Error::other)?;
                read_limited(liblzma::bufread::XzDecoder::new_stream(stored, stream), block)
            }
            Codec::Snappy => snappy(stored, block),
        }
    }
}

/// A Snappy block, which a CRC-32 of the decompressed bytes follows.
fn snappy(stored: &[u8], block: &mut Vec<u8>) -> Result<()> {
    let invalid =
        || ContainerError::Damaged("a block is not valid snappy data; copy the file again".to_owned());
    let (compressed, checksum) = stored.split_last_chunk::<4>().ok_or_else(invalid)?;
    let length = snap::raw::decompress_len(compressed).map_err(|_| invalid())?;
    if length > MAX_BLOCK_BYTES {
        return Err(too_large());
    }
    *block = snap::raw::Decoder::new().decompress_vec(compressed).map_err(|_| invalid())?;
    let mut crc = flate2::Crc::new();
    crc.update(block);
    if crc.sum() != u32::from_be_bytes(*checksum) {
        return Err(invalid());
    }
    Ok(())
}

fn read_limited(decoder: impl Read, block: &mut Vec<u8>) -> Result<()> {
    match decoder.take(MAX_BLOCK_BYTES as u64 + 1).read_to_end(block) {
        Ok(count) if count > MAX_BLOCK_BYTES => Err(too_large()),
        Ok(_) => Ok(()),
        Err(error) => Err(ContainerError::Damaged(format!(
            "a block cannot be decompressed ({error}); copy or write the file again"
        ))),
    }
}

fn too_large() -> ContainerError {
    ContainerError::Damaged(format!(
        "a block decompresses to more than the limit of {MAX_BLOCK_BYTES} bytes, as a decompression bomb does; \
         write the file with smaller blocks"
    ))
}

fn named_codec(name: &[u8]) -> Result<Codec> {
    Ok(match name {
        b"null" | b"" => Codec::Null,
        b"deflate" => Codec::Deflate,
        b"snappy" => Codec::Snappy,
        b"zstandard" => Codec::Zstd,
        b"bzip2" => Codec::Bzip2,
        b"xz" => Codec::Xz,
        other => {
            return Err(ContainerError::Unsupported(format!(
                "its blocks are compressed with {:?}, which is not read; write it with deflate, snappy or zstandard",
                String::from_utf8_lossy(other)
            )));
        }
    })
}

/// A key or value of the header.
fn metadata(input: &mut impl Read, left: &mut usize) -> Result<Vec<u8>> {
    let length = long(input)?;
    let Some(length) = usize::try_from(length).ok().filter(|length| length < left) else {
        return Err(ContainerError::Damaged(format!(
            "its header declares a value of {length} bytes, more than the limit of {MAX_HEADER_BYTES} for all of it"
        )));
    };
    *left -= length + 1;
    let mut value = Vec::new();
    let got = input.take(length as u64).read_to_end(&mut value)?;
    if got < length { Err(ends_early()) } else { Ok(value) }
}

fn long(input: &mut impl Read) -> Result<i64> {
    long_or_end(input)?.ok_or_else(ends_early)
}

/// A zigzag number of variable length; `None` if the input is at its end.
fn long_or_end(input: &mut impl Read) -> Result<Option<i64>> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        if read_some(input, &mut byte)? == 0 {
            return if shift == 0 { Ok(None) } else { Err(ends_early()) };
        }
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            return Ok(Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed()));
        }
    }
    Err(ContainerError::Damaged("a length is not a number; copy or write the file again".to_owned()))
}

fn exact(input: &mut impl Read, out: &mut [u8]) -> Result<()> {
    if read_some(input, out)? < out.len() { Err(ends_early()) } else { Ok(()) }
}

/// Fills `out` as far as the input goes.
fn read_some(input: &mut impl Read, out: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        match input.read(&mut out[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}

fn ends_early() -> ContainerError {
    ContainerError::Damaged("the Avro file ends too early; copy or write it again".to_owned())
}
