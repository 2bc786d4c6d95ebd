internal import COpenSSL

/// SHA-256 (FIPS 180-4) by OpenSSL, whole or piece by piece.
///
/// Over memory it fails only when there is none left, or when the OpenSSL that was installed has
/// no SHA-256: nothing could be verified then, and the process stops.
package struct SHA256: ~Copyable {
  /// Bytes of a digest.
  package static let digestBytes = 32

  private let context: OpaquePointer

  package init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
    else { preconditionFailure("OpenSSL has no SHA-256") }
    self.context = context
  }

  deinit {
    EVP_MD_CTX_free(context)
  }

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    let isDone = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
    precondition(isDone, "OpenSSL refused bytes of a digest")
  }

  /// The digest of everything that was given, 32 bytes.
  package consuming func finish() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: SHA256.digestBytes)
    let isDone = EVP_DigestFinal_ex(context, &digest, nil) == 1
    precondition(isDone, "OpenSSL refused to end a digest")
    return digest
  }

  /// The digest of `bytes`, 32 bytes.
  package static func digest(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: digestBytes)
    let isDone =
      EVP_Digest(bytes.baseAddress, bytes.count, &digest, nil, EVP_sha256(), nil) == 1
    precondition(isDone, "OpenSSL has no SHA-256")
    return digest
  }
}
