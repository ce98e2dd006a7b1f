/// The guided tour ([dev.mcpscope.demo.Tour]), the MCP server that it connects
/// ([dev.mcpscope.demo.DemoServer], over HTTP [dev.mcpscope.demo.DemoHttpServer]), and the inventory by which it proves that nothing is left
/// ([dev.mcpscope.demo.Inventory]); the tests use the same one.
package dev.mcpscope.demo;
