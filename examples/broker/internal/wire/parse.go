package wire

// connect reads CONNECT. No blank is needed before its JSON.
func (r *Reader) connect() (Op, error) {
	text, err := r.json("onnect")
	return orNil(Connect{text}, err)
}

// info reads INFO.
func (r *Reader) info() (Op, error) {
	text, err := r.json("nfo")
	return orNil(Info{text}, err)
}

func (r *Reader) json(name string) ([]byte, error) {
	if err := r.word(name); err != nil {
		return nil, err
	}
	line, err := r.args()
	return append([]byte(nil), line...), err
}

// p reads what begins with P: PING, PONG or PUB.
func (r *Reader) p() (Op, error) {
	b, err := r.in.ReadByte()
	if err != nil {
		return nil, err
	}
	switch b | 0x20 {
	case 'i':
		return r.bare(Ping{}, "ng")
	case 'o':
		return r.bare(Pong{}, "ng")
	case 'u':
		return r.pub()
	}
	return nil, ErrOperation
}

// ok reads +OK.
func (r *Reader) ok() (Op, error) { return r.bare(OK{}, "ok") }

// bare reads an operation without arguments. Whatever stands behind its name is
// passed over, as by nats-server v2.15 server/parser.go OP_PING.
func (r *Reader) bare(o Op, name string) (Op, error) {
	if err := r.word(name); err != nil {
		return nil, err
	}
	return orNil(o, r.rest())
}

// err reads -ERR.
func (r *Reader) err() (Op, error) {
	line, err := r.named("err")
	return orNil(Err{string(line)}, err)
}

// named reads a name, a blank and the rest of the line.
func (r *Reader) named(name string) ([]byte, error) {
	if err := r.word(name); err != nil {
		return nil, err
	}
	if err := r.blank(); err != nil {
		return nil, err
	}
	return r.args()
}

// pub reads PUB <subject> [reply] <size>, after "PU".
func (r *Reader) pub() (Op, error) {
	f, err := r.fields("b")
	if err != nil {
		return nil, err
	}
	o := Pub{Header: -1}
	switch len(f) {
	case 2:
		o.Subject, o.Size = f[0], size(f[1])
	case 3:
		o.Subject, o.Reply, o.Size = f[0], f[1], size(f[2])
	default:
		return nil, ErrArguments
	}
	return r.sized(o)
}

// hpub reads HPUB <subject> [reply] <header size> <size>, after "H".
func (r *Reader) hpub() (Op, error) {
	f, err := r.fields("pub")
	if err != nil {
		return nil, err
	}
	if !r.limits.Headers {
		return nil, ErrHeaders
	}
	var o Pub
	switch len(f) {
	case 3:
		o.Subject, o.Header, o.Size = f[0], size(f[1]), size(f[2])
	case 4:
		o.Subject, o.Reply, o.Header, o.Size = f[0], f[1], size(f[2]), size(f[3])
	default:
		return nil, ErrArguments
	}
	if o.Header < 0 || o.Header > o.Size {
		return nil, ErrArguments
	}
	return r.sized(o)
}

// sized checks the declared size before a byte of the payload is made room for.
func (r *Reader) sized(o Pub) (Op, error) {
	if o.Size < 0 {
		return nil, ErrArguments
	}
	if r.limits.Payload != -1 && int64(o.Size) > r.limits.Payload {
		return nil, ErrPayload
	}
	r.owed = o.Size
	return o, nil
}

// sub reads SUB <subject> [queue] <sid>.
func (r *Reader) sub() (Op, error) {
	f, err := r.fields("ub")
	if err != nil {
		return nil, err
	}
	switch len(f) {
	case 2:
		return Sub{Subject: f[0], SID: f[1]}, nil
	case 3:
		return Sub{Subject: f[0], Queue: f[1], SID: f[2]}, nil
	}
	return nil, ErrArguments
}

// unsub reads UNSUB <sid> [max]. A max that is no number counts as none.
func (r *Reader) unsub() (Op, error) {
	f, err := r.fields("nsub")
	if err != nil {
		return nil, err
	}
	switch len(f) {
	case 1:
		return Unsub{SID: f[0]}, nil
	case 2:
		return Unsub{SID: f[0], Max: max(0, size(f[1]))}, nil
	}
	return nil, ErrArguments
}

// fields reads a name and its arguments. More than four are told as five: no
// operation takes as many.
func (r *Reader) fields(name string) ([]string, error) {
	line, err := r.named(name)
	if err != nil {
		return nil, err
	}
	var out []string
	start := -1
	for i := 0; i <= len(line) && len(out) < 5; i++ {
		switch end := i == len(line) || isBlank(line[i]); {
		case end && start >= 0:
			out = append(out, string(line[start:i]))
			start = -1
		case !end && start < 0:
			start = i
		}
	}
	return out, nil
}

// sizeDigits is how long a size may be; nats-server v2.15 server/util.go
// parseSize.
const sizeDigits = 9

// size reads a number, or gives -1.
func size(text string) int {
	if text == "" || len(text) > sizeDigits {
		return -1
	}
	n := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return -1
		}
		n = n*10 + int(text[i]-'0')
	}
	return n
}

func orNil(o Op, err error) (Op, error) {
	if err != nil {
		return nil, err
	}
	return o, nil
}
