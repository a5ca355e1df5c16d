//! The two containers a download may come in, holding their content uncompressed.

/// CRC-32 as zip and gzip want it.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| {
                if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
            },
        )
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// Files here are far below 4 GiB, the most these formats can say without an extension.
fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// A zip archive of one file, stored.
pub(super) fn zip(name: &str, content: &[u8]) -> Vec<u8> {
    let name_length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    // Version, flags, method "stored", and 1980-01-01 as the time.
    let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
    common.extend(crc32(content).to_le_bytes());
    common.extend(size(content).to_le_bytes());
    common.extend(size(content).to_le_bytes());
    common.extend(name_length.to_le_bytes());
    common.extend([0, 0]);

    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend(&common);
    zip.extend(name.as_bytes());
    zip.extend(content);
    let directory_at = size(&zip);
    zip.extend(b"PK\x01\x02\x14\x00");
    zip.extend(&common);
    // No comment, first disk, no attributes, and the file starts at the very beginning.
    zip.extend([0; 14]);
    zip.extend(name.as_bytes());
    let directory_size = size(&zip) - directory_at;
    zip.extend(b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00");
    zip.extend(directory_size.to_le_bytes());
    zip.extend(directory_at.to_le_bytes());
    zip.extend([0, 0]);
    zip
}

/// A gzip stream of stored blocks.
pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = content.chunks(0xffff).peekable();
    if blocks.peek().is_none() {
        gzip.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        gzip.push(u8::from(blocks.peek().is_none()));
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        gzip.extend(length.to_le_bytes());
        gzip.extend((!length).to_le_bytes());
        gzip.extend(block);
    }
    gzip.extend(crc32(content).to_le_bytes());
    gzip.extend(size(content).to_le_bytes());
    gzip
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_algorithm() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn contents_lie_where_the_headers_say() {
        let archive = zip("a.json", b"{}");
        assert_eq!(&archive[30..38], b"a.json{}");
        let end = archive.len() - 22;
        assert_eq!(&archive[end..end + 4], b"PK\x05\x06");
        let directory = u32::from_le_bytes(archive[end + 16..end + 20].try_into().unwrap()) as usize;
        assert_eq!(&archive[directory..directory + 4], b"PK\x01\x02");
        assert_eq!(&archive[directory + 46..directory + 52], b"a.json");

        let stream = gzip(&[7; 0x1_0001]);
        assert_eq!(&stream[10..15], [0, 0xff, 0xff, 0, 0]);
        assert_eq!(&stream[15 + 0xffff..15 + 0xffff + 5], [1, 2, 0, 0xfd, 0xff]);
    }
}
