/// JSON text and JSON values: the only package that uses Jackson, and no more of it than the
/// tokenizer.
///
/// Read [dev.mcpscope.json.JsonValue] first; [dev.mcpscope.json.JsonReader] and
/// [dev.mcpscope.json.JsonWriter] lead from bytes to values and back. Values are immutable. Reading
/// is bounded by [dev.mcpscope.json.JsonLimits], keeps numbers and strings exactly as they were
/// sent, and fails with the one checked [dev.mcpscope.json.JsonException].
package dev.mcpscope.json;
