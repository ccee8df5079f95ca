// Package nat translates IPv4 addresses and ports: rules, mappings, pools and
// the sessions that follow from them. It reads no packet and writes none;
// nat/rewrite does.
package nat
