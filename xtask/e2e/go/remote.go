package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// height is that of tiles in tlog-tiles. It does not stand in their paths, where x/mod writes it.
const height = 8

// unreadable is a failure to read, which says nothing of what would have been read.
type unreadable struct{ error }

// remote reads a log over HTTP. It keeps what it has read, good or not; tlog looks at each tile again whenever it uses it.
type remote struct {
	url  string
	kept map[string][]byte
}

func newRemote(url string) *remote {
	return &remote{url: strings.TrimSuffix(url, "/") + "/", kept: map[string][]byte{}}
}

// openLog reads the key and the newest checkpoint.
func openLog(url, keyFile string) (*remote, note.Verifier, checkpoint, error) {
	key, err := readKey(keyFile)
	if err != nil {
		return nil, nil, checkpoint{}, err
	}
	log := newRemote(url)
	signed, err := log.fetch("checkpoint")
	if err != nil {
		return nil, nil, checkpoint{}, err
	}
	head, err := openCheckpoint(signed, key)
	return log, key, head, err
}

var client = http.Client{
	Timeout: 20 * time.Second,
	// The resources of a log do not redirect.
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// fetch reads one resource of the log.
func (r *remote) fetch(path string) ([]byte, error) {
	if bytes, ok := r.kept[path]; ok {
		return bytes, nil
	}
	response, err := client.Get(r.url + path)
	if err != nil {
		return nil, unreadable{err}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, unreadable{fmt.Errorf("%s%s: %s", r.url, path, response.Status)}
	}
	bytes, err := io.ReadAll(io.LimitReader(response.Body, 32<<20))
	if err != nil {
		return nil, unreadable{err}
	}
	r.kept[path] = bytes
	return bytes, nil
}

// Height is that of the tiles. With the two methods below it is a tlog.TileReader.
func (r *remote) Height() int { return height }

// ReadTiles fetches tiles. What they say is checked by tlog.
func (r *remote) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		bytes, err := r.fetch(pathOf(tile))
		if err != nil {
			return nil, err
		}
		if len(bytes) != tile.W*tlog.HashSize {
			return nil, refuse("%s has %d bytes", pathOf(tile), len(bytes))
		}
		all = append(all, bytes)
	}
	return all, nil
}

// SaveTiles is told of tiles that were found good, and has no use for it.
func (r *remote) SaveTiles([]tlog.Tile, [][]byte) {}

// pathOf gives the path of a tile, which is x/mod's without the height.
func pathOf(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
}

// asRefusal tells what tlog thinks wrong from what could not be read.
func asRefusal(err error, what string) error {
	var cannot unreadable
	if errors.Is(err, errRefused) || errors.As(err, &cannot) {
		return err
	}
	return refuse("%s: %v", what, err)
}

// bundle fetches the entries that stand for the leaves of one tile of a tree of this size.
func (r *remote) bundle(number, size int64) ([][]byte, error) {
	width := size - number<<height
	if width > 1<<height {
		width = 1 << height
	}
	tile := tlog.Tile{H: height, L: 0, N: number, W: int(width)}
	path := strings.Replace(pathOf(tile), "tile/0/", "tile/entries/", 1)
	rest, err := r.fetch(path)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(rest) > 0 {
		if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
			return nil, refuse("%s ends inside an entry", path)
		}
		length := int(binary.BigEndian.Uint16(rest))
		entries = append(entries, rest[2:2+length])
		rest = rest[2+length:]
	}
	if int64(len(entries)) != width {
		return nil, refuse("%s has %d entries", path, len(entries))
	}
	return entries, nil
}
