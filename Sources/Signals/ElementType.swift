/// The type of a tensor's elements, by its name in a safetensors header.
package enum ElementType: String, Sendable, CaseIterable, BitwiseCopyable {
  case f64 = "F64"
  case f32 = "F32"
  case f16 = "F16"
  case i64 = "I64"
  case i32 = "I32"
  case i16 = "I16"
  case i8 = "I8"
  case u8 = "U8"
  case bool = "BOOL"
  /// Only for ids and offsets.
  case u64 = "U64"

  /// Bytes of one element.
  package var byteCount: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32: 4
    case .f16, .i16: 2
    case .i8, .u8, .bool: 1
    }
  }
}
